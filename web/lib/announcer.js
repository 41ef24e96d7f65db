/* Speaks to a screen reader, and not too often: of several things about one subject only the last is still true. */

const GAP_MS = 10_000;

export class Announcer {
  #region;
  /** What is to be said, by subject. @type {Map<string, string>} */
  #waiting = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  /** @param {{textContent: string | null}} region A polite live region. */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} text @param {string} [subject] */
  say(text, subject = "") {
    this.#waiting.delete(subject);
    this.#waiting.set(subject, text);
    if (!this.#rest) this.#speak();
  }

  /** Forgets what was not said yet. */
  stop() {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#waiting.clear();
  }

  #speak() {
    this.#rest = undefined;
    if (!this.#waiting.size) return;
    this.#region.textContent = [...this.#waiting.values()].join(". ");
    this.#waiting.clear();
    this.#rest = setTimeout(() => this.#speak(), GAP_MS);
  }
}
