/* One language: its texts with values filled in, and its numbers, plurals and durations. No DOM. */
import { durationFormat } from "./durations.js";
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

  /** @param {keyof typeof TEXTS} tag */
  constructor(tag) {
    this.tag = tag;
    this.texts = TEXTS[tag];
    this.#numbers = new Intl.NumberFormat(tag);
    this.#plurals = new Intl.PluralRules(tag);
    this.#times = new Intl.DateTimeFormat(tag, { timeStyle: "medium" });
    /** In whole seconds, in words: "2 min, 13 sec". */
    this.duration = durationFormat(tag);
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

  /**
   * A duration, rounded to the precision of an estimate. It never grows while `ms` falls.
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
