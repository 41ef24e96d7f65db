import { Timers } from "./timers.js";

/** @typedef {import("../lib/wire.js").LogLine} LogLine */
/** @typedef {import("../lib/wire.js").LogUpdate} LogUpdate */
/**
 * Lines of a session's log, as the server answers and streams them.
 * @typedef {{life: string, lines: LogLine[], first: number, next: number}} LogPage
 */

/** The server's limit of lines in one answer. */
export const PAGE_LINES = 1000;
/** Lines that could not be loaded are asked for again after this time. */
const RETRY_MS = 2000;

/**
 * Hands on each line of a session's log once, in order. A stream repeats lines and leaves some out: those of another
 * life begin anew, known ones are dropped by their numbers, and missing ones are loaded.
 */
export class LogFollower {
  #load;
  #onLines;
  #timers;
  #life = "";
  /** The number of the newest line that was handed on. */
  #last = 0;
  #isLoading = false;
  /** Something came while lines were being loaded. */
  #isBehind = false;
  #isStopped = false;
  /** Ends the request that is under way. */
  #loading = new AbortController();

  /**
   * @param {object} setup
   * @param {(after: number, signal: AbortSignal) => Promise<LogPage>} setup.load Rejects if the server refuses, or does
   *   not answer; as a `RequestError` does, with the status of the answer.
   * @param {(update: LogUpdate) => void} setup.onLines
   * @param {import("../lib/wire.js").Timers} setup.timers
   */
  constructor({ load, onLines, timers }) {
    this.#load = load;
    this.#onLines = onLines;
    this.#timers = new Timers(timers);
  }

  stop() {
    this.#isStopped = true;
    this.pause();
  }

  /** Loads nothing more before the next `sync`. */
  pause() {
    this.#loading.abort();
    this.#timers.clearAll();
  }

  /** The session has no log, or no longer has it. */
  forget() {
    if (!this.#life) return;
    this.#life = "";
    this.#last = 0;
    this.#notify({ life: "", isNew: true, lines: [], missed: 0 });
  }

  /** @param {LogPage} page From a stream. */
  add(page) {
    const { life, lines, first } = page;
    const [next] = lines.filter(({ n }) => n > this.#last);
    // Where the lines in between are no longer kept there is nothing to load.
    const follows = next !== undefined && (next.n === this.#last + 1 || next.n === first);
    if (life !== this.#life || this.#isLoading || (next && !follows)) void this.sync();
    else this.#handOn(page);
  }

  /** Loads what may be missing. Never rejects. */
  async sync() {
    this.#isBehind = true;
    if (this.#isLoading || this.#isStopped) return;
    this.#isLoading = true;
    this.#timers.clear("again");
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    try {
      while (this.#isBehind && !signal.aborted) {
        this.#isBehind = false;
        this.#take(await this.#load(this.#last, signal), signal);
      }
    } catch (error) {
      if (!signal.aborted && !isRefusal(error)) this.#timers.set("again", RETRY_MS, () => void this.sync());
    } finally {
      this.#isLoading = false;
    }
  }

  /** @param {LogPage} page As it was loaded. @param {AbortSignal} signal */
  #take(page, signal) {
    if (signal.aborted) return;
    const isOther = page.life !== this.#life;
    // The lines of another life were asked for by a number that says nothing about them.
    if (isOther && this.#last > 0) {
      this.#begin(page.life);
      this.#isBehind = true;
      return;
    }
    if (isOther) this.#begin(page.life);
    this.#handOn(page);
    if (page.lines.length >= PAGE_LINES) this.#isBehind = true;
  }

  /** @param {string} life */
  #begin(life) {
    this.#life = life;
    this.#last = 0;
    this.#notify({ life, isNew: true, lines: [], missed: 0 });
  }

  /** @param {LogPage} page */
  #handOn({ life, lines }) {
    const added = lines.filter(({ n }) => n > this.#last);
    const [next] = added;
    if (!next) return;
    const missed = next.n - this.#last - 1;
    this.#last = added.at(-1)?.n ?? this.#last;
    this.#notify({ life, isNew: false, lines: added, missed });
  }

  /** An error of the page must neither end the stream nor let lines be loaded again. @param {LogUpdate} update */
  #notify(update) {
    try {
      this.#onLines(update);
    } catch (error) {
      console.error(error);
    }
  }
}

/** Whether the server would answer the same again, until the session changes. @param {unknown} error */
function isRefusal(error) {
  const { status = 0 } = /** @type {{status?: number}} */ (error);
  return status >= 400 && status < 500 && status !== 429;
}
