/* Announces changes to a screen reader, at intervals. Of several texts on one subject it announces only the last. */

const INTERVAL_MS = 10_000;

export class Announcer {
  #region;
  /** The texts to announce, by subject. @type {Map<string, string>} */
  #waiting = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pause;

  /** @param {{textContent: string | null}} region A polite live region. */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} text @param {string} [subject] */
  say(text, subject = "") {
    this.#waiting.delete(subject);
    this.#waiting.set(subject, text);
    if (!this.#pause) this.#announce();
  }

  /** Drops the texts that were not announced yet. */
  stop() {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#waiting.clear();
  }

  #announce() {
    this.#pause = undefined;
    if (!this.#waiting.size) return;
    this.#region.textContent = [...this.#waiting.values()].join(". ");
    this.#waiting.clear();
    this.#pause = setTimeout(() => this.#announce(), INTERVAL_MS);
  }
}
