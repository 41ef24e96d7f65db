/* One language: its texts with values filled in, and its numbers, plurals and durations. No DOM. */
import { unitsOf } from "./durations.js";
import { partsOf, TEXTS } from "./texts.js";

/** @typedef {import("./texts.js").TextKey} TextKey */
/**
 * Numbers and durations are written as the language writes them.
 * `took_ms` is measured and over. A sentence may be a value of another one.
 * @typedef {string | number | {duration_ms: number} | {took_ms: number} | {key: TextKey, values: Values}} Value
 * @typedef {Record<string, Value>} Values
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HALF_DAY_MS = 12 * 60 * MINUTE_MS;
/** @type {Intl.DateTimeFormatOptions} */
const HOURS = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export class Language {
  #numbers;
  #plurals;
  #times;
  #hours;
  #days;

  /** @param {keyof typeof TEXTS} tag */
  constructor(tag) {
    this.tag = tag;
    this.texts = TEXTS[tag];
    this.#numbers = new Intl.NumberFormat(tag);
    this.#plurals = new Intl.PluralRules(tag);
    this.#times = new Intl.DateTimeFormat(tag, { ...HOURS, second: "2-digit" });
    this.#hours = new Intl.DateTimeFormat(tag, HOURS);
    this.#days = new Intl.DateTimeFormat(tag, { month: "short", day: "numeric", ...HOURS });
  }

  /**
   * A text, split into its fixed parts and its values.
   * @param {TextKey} key
   * @param {Values} [values]
   * @returns {(string | {value: string})[]}
   */
  parts(key, values = {}) {
    return partsOf(this.texts[key]).map((part) => {
      if (typeof part === "string") return part;
      return { value: this.#written(values[part.name] ?? "") };
    });
  }

  /** @param {Value} value */
  #written(value) {
    if (typeof value === "number") return this.number(value);
    if (typeof value === "string") return value;
    if ("key" in value) return this.text(value.key, value.values);
    return "took_ms" in value ? this.took(value.took_ms) : this.duration(value.duration_ms);
  }

  /** @param {TextKey} key @param {Values} [values] */
  text(key, values) {
    return this.parts(key, values)
      .map((part) => (typeof part === "string" ? part : part.value))
      .join("");
  }

  /**
   * The form of a text that goes with a count.
   * @param {"jobs" | "listed" | "fold_done" | "fold_waiting" | "log_found" | "log_missed"} key
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

  /** In words, cut to its two largest units: "34 s", "2 min 13 s", "1 h 2 min". @param {number} ms */
  duration(ms) {
    return unitsOf(ms)
      .map(([unit, count]) => this.text(unit, { count }))
      .join(" ");
  }

  /** What something took that has ended: as a duration, but below a minute with tenths of a second, cut. @param {number} ms */
  took(ms) {
    return ms < MINUTE_MS ? this.text("unit_s", { count: (Math.floor(ms / 100) / 10).toFixed(1) }) : this.duration(ms);
  }

  /** How far something is, in units of its own. @param {{current: number, total: number | null}} progress */
  counted({ current, total }) {
    return this.number(current) + (total === null ? "" : ` / ${this.number(total)}`);
  }

  /** @param {string[]} texts */
  joined(texts) {
    return texts.join(this.texts.separator);
  }

  /** The time of day, in the reader's own time zone. @param {number} time_ms */
  time(time_ms) {
    return this.#times.format(time_ms);
  }

  /**
   * A moment to the minute, with its day if it is half a day away or more.
   * @param {number} time_ms
   * @param {number} now_ms
   */
  moment(time_ms, now_ms) {
    return (Math.abs(now_ms - time_ms) < HALF_DAY_MS ? this.#hours : this.#days).format(time_ms);
  }

  /**
   * A duration below an hour, rounded to the precision of an estimate. It never grows while `ms` falls.
   * @param {number} ms
   */
  roughly(ms) {
    if (ms < 10 * SECOND_MS) return this.text("moments");
    if (ms <= 50 * SECOND_MS) return this.#about(ms, 10 * SECOND_MS);
    return this.#about(Math.max(ms, MINUTE_MS), MINUTE_MS);
  }

  /** @param {number} ms @param {number} grain_ms */
  #about(ms, grain_ms) {
    return this.text("about", { duration: this.duration(Math.round(ms / grain_ms) * grain_ms) });
  }
}
