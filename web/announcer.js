/* Says one thing at a time to a screen reader, and not too often: of several things only the last is still true. */

const GAP_MS = 10_000;

export class Announcer {
  #region;
  #waiting = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  /** @param {{textContent: string | null}} region A polite live region. */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} text */
  say(text) {
    this.#waiting = text;
    if (!this.#rest) this.#speak();
  }

  /** Forgets what was not said yet. */
  stop() {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#waiting = "";
  }

  #speak() {
    this.#rest = undefined;
    if (!this.#waiting) return;
    this.#region.textContent = this.#waiting;
    this.#waiting = "";
    this.#rest = setTimeout(() => this.#speak(), GAP_MS);
  }
}
