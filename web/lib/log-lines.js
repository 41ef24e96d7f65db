/* The lines of a log that a page holds, by step. No DOM. */
import { plainText } from "./ansi.js";

/** @typedef {import("./wire.js").LogLevel} LogLevel */
/** @typedef {import("./wire.js").LogUpdate} LogUpdate */

/**
 * A line as it is shown.
 * @typedef {object} Entry
 * @property {number} n
 * @property {number} at_ms
 * @property {LogLevel} level
 * @property {string} text As it came, with what acts on a terminal.
 * @property {string} plain The same without that.
 * @property {number} missed How many lines before it are not kept.
 */

/** Of each step, and of the session; the oldest go. A server keeps fewer, but a page may be open for long. */
export const MAX_LINES = 5000;
/** Of all steps together. */
export const MAX_ALL_LINES = 20_000;

export class LogLines {
  /** By step; null is the session. @type {Map<number | null, Entry[]>} */
  #byStep = new Map();

  /** Whether any line is known. */
  get isEmpty() {
    return this.#byStep.size === 0;
  }

  /** @param {number | null} step @returns {readonly Entry[]} The same list while no lines are added. */
  of(step) {
    return this.#byStep.get(step) ?? NONE;
  }

  /** Takes lines in, and returns the steps whose lines have changed. @param {LogUpdate} update */
  add({ isNew, lines, missed }) {
    const changed = new Set(isNew ? this.#byStep.keys() : []);
    if (isNew) this.#byStep.clear();
    /** @type {Map<number | null, Entry[]>} */
    const added = new Map();
    for (const [index, { n, at, step, level, text }] of lines.entries()) {
      const entry = { n, at_ms: Date.parse(at), level, text, plain: plainText(text), missed: index ? 0 : missed };
      const entries = added.get(step);
      if (entries) entries.push(entry);
      else added.set(step, [entry]);
    }
    for (const [step, entries] of added) {
      this.#byStep.set(step, [...this.of(step), ...entries].slice(-MAX_LINES));
      changed.add(step);
    }
    return new Set([...changed, ...this.#dropSurplus()]);
  }

  /** The step with the oldest line gives up its first lines. Returns the steps that have done so. */
  #dropSurplus() {
    /** @type {(number | null)[]} */
    const changed = [];
    let surplus = [...this.#byStep.values()].reduce((sum, { length }) => sum + length, -MAX_ALL_LINES);
    while (surplus > 0) {
      const [step, entries] = [...this.#byStep].reduce((a, b) => (firstOf(a[1]) < firstOf(b[1]) ? a : b));
      if (entries.length > surplus) this.#byStep.set(step, entries.slice(surplus));
      else this.#byStep.delete(step);
      changed.push(step);
      surplus -= entries.length;
    }
    return changed;
  }
}

/** The number of the first line. @param {readonly Entry[]} entries */
function firstOf([first]) {
  return first?.n ?? Infinity;
}

/** @type {readonly Entry[]} */
const NONE = [];

/**
 * Where a text has the words that are searched for, without regard to case.
 * @param {string} text
 * @param {string} words
 * @returns {[number, number][]} From and to.
 */
export function matchesIn(text, words) {
  /** @type {[number, number][]} */
  const found = [];
  if (!words) return found;
  const [all, sought] = [text.toLowerCase(), words.toLowerCase()];
  // A few letters get longer in lower case, which would move all places after them.
  if (all.length !== text.length) return all.includes(sought) ? [[0, text.length]] : found;
  for (let at = all.indexOf(sought); at >= 0; at = all.indexOf(sought, at + sought.length)) {
    found.push([at, at + sought.length]);
  }
  return found;
}

/** The lines as a text file has them. @param {readonly Entry[]} entries */
export function fileOf(entries) {
  return entries
    .map(({ at_ms, level, plain }) => {
      const label = level === "info" ? "" : ` ${level.toUpperCase()}`;
      return `${new Date(at_ms).toISOString()}${label} ${plain}\n`;
    })
    .join("");
}
