/** The wait before a look takes once to twice this long: all pages of a session see its end at the same moment. */
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Looks now and then whether a session that has ended begins anew, or has got links: ever more rarely, up to once a
 * minute, while the page is visible, and at once when it becomes visible.
 */
export class NextRunWatch {
  #look;
  #watching = new AbortController();
  #wait_ms = FIRST_WAIT_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isLooking = false;

  /** @param {() => Promise<void>} look Never rejects. */
  constructor(look) {
    this.#look = look;
  }

  start() {
    this.stop();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    document.addEventListener("visibilitychange", () => this.#onReturn(), { signal });
    globalThis.addEventListener("online", () => this.#onReturn(), { signal });
    globalThis.addEventListener("pageshow", ({ persisted }) => void (persisted && this.#onReturn()), { signal });
    this.#wait_ms = FIRST_WAIT_MS;
    this.#schedule();
  }

  stop() {
    this.#watching.abort();
    clearTimeout(this.#timer);
  }

  #onReturn() {
    clearTimeout(this.#timer);
    this.#wait_ms = FIRST_WAIT_MS;
    if (isVisible()) void this.#lookNow();
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!isVisible()) return;
    this.#timer = setTimeout(() => void this.#lookNow(), this.#wait_ms * (1 + Math.random()));
    this.#wait_ms = Math.min(LONGEST_WAIT_MS, 2 * this.#wait_ms);
  }

  async #lookNow() {
    if (this.#isLooking) return;
    const { signal } = this.#watching;
    this.#isLooking = true;
    await this.#look();
    this.#isLooking = false;
    if (!signal.aborted) this.#schedule();
  }
}

function isVisible() {
  return document.visibilityState === "visible";
}
