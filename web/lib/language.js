/* One language: its texts with values filled in, and its numbers, plurals and durations. No DOM. */
import { partsOf, TEXTS } from "./texts.js";

/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {Record<string, string | number>} Values Numbers are written as the language writes them. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export class Language {
  #numbers;
  #plurals;
  #times;
  #join;

  /** @param {keyof typeof TEXTS} tag */
  constructor(tag) {
    this.tag = tag;
    this.texts = TEXTS[tag];
    this.#numbers = new Intl.NumberFormat(tag);
    this.#plurals = new Intl.PluralRules(tag);
    this.#times = new Intl.DateTimeFormat(tag, { timeStyle: "medium" });
    this.#join = durationJoiner(tag);
  }

  /**
   * A text cut into what is ours and what is filled in.
   * @param {TextKey} key
   * @param {Values} [values]
   * @returns {(string | {value: string})[]}
   */
  parts(key, values = {}) {
    return partsOf(this.texts[key]).map((part) => {
      if (typeof part === "string") return part;
      const value = values[part.name] ?? "";
      return { value: typeof value === "number" ? this.number(value) : value };
    });
  }

  /** @param {TextKey} key @param {Values} [values] */
  text(key, values) {
    return this.parts(key, values)
      .map((part) => (typeof part === "string" ? part : part.value))
      .join("");
  }

  /**
   * The form of a text that goes with a count.
   * @param {"counted" | "jobs"} key
   * @param {number} count
   * @returns {TextKey}
   */
  plural(key, count) {
    return this.#plurals.select(count) === "one" ? `${key}_one` : `${key}_other`;
  }

  /** @param {number} value */
  number(value) {
    return this.#numbers.format(value);
  }

  /** The time of day, in the reader's own time zone. @param {number} time_ms */
  time(time_ms) {
    return this.#times.format(time_ms);
  }

  /** In whole seconds, in words: "2 min, 13 sec". @param {number} ms */
  duration(ms) {
    return this.#join(partsOfDuration(ms));
  }

  /**
   * Rounded to what an estimate can promise. It never grows while `ms` falls.
   * @param {number} ms
   */
  roughly(ms) {
    if (ms < 10 * SECOND_MS) return this.text("moments");
    if (ms <= 50 * SECOND_MS) return this.#about(ms, 10 * SECOND_MS);
    if (ms < HOUR_MS - MINUTE_MS / 2) return this.#about(Math.max(ms, MINUTE_MS), MINUTE_MS);
    return this.#about(Math.max(ms, HOUR_MS), 10 * MINUTE_MS);
  }

  /** @param {number} ms @param {number} grain_ms */
  #about(ms, grain_ms) {
    return this.text("about", { duration: this.duration(Math.round(ms / grain_ms) * grain_ms) });
  }
}

/** As a clock shows it: 5:00, 1:02:03. @param {number} ms */
export function clock(ms) {
  const { hours, minutes, seconds } = partsOfDuration(ms);
  const padded = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(seconds)}` : `${minutes}:${padded(seconds)}`;
}

/** @typedef {{hours: number, minutes: number, seconds: number}} DurationParts */

/** @param {number} ms @returns {DurationParts} */
function partsOfDuration(ms) {
  const seconds = Math.max(0, Math.floor(ms / SECOND_MS));
  return { hours: Math.floor(seconds / 3600), minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 };
}

/**
 * @param {string} tag
 * @returns {(parts: DurationParts) => string}
 */
function durationJoiner(tag) {
  const style = { style: "short", secondsDisplay: "auto" };
  // Newer than many a browser that is in use, and than the type library.
  const DurationFormat = /** @type {any} */ (Intl).DurationFormat;
  const joined = DurationFormat ? durationByIntl(new DurationFormat(tag, style)) : durationByUnits(tag);
  const zero = unit(tag, "second").format(0);
  return (parts) => joined(parts) || zero;
}

/** @param {{format: (parts: DurationParts) => string}} format @returns {(parts: DurationParts) => string} */
const durationByIntl = (format) => (parts) => format.format(parts);

/**
 * What Intl.DurationFormat would say, near enough.
 * @param {string} tag
 * @returns {(parts: DurationParts) => string}
 */
function durationByUnits(tag) {
  const units = /** @type {const} */ ([
    ["hours", unit(tag, "hour")],
    ["minutes", unit(tag, "minute")],
    ["seconds", unit(tag, "second")],
  ]);
  const list = new Intl.ListFormat(tag, { type: "unit", style: "short" });
  return (parts) =>
    list.format(units.filter(([name]) => parts[name]).map(([name, format]) => format.format(parts[name])));
}

/** @param {string} tag @param {string} name */
function unit(tag, name) {
  return new Intl.NumberFormat(tag, { style: "unit", unit: name, unitDisplay: "short" });
}
