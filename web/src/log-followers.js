import { LogFollower } from "./log-follower.js";

/** @typedef {import("./log-follower.js").LogPage} LogPage */

/** All who follow the log of a tracker's session. */
export class LogFollowers {
  /** @type {Set<LogFollower>} */
  #all = new Set();
  #load;
  #timers;
  #onWanted;

  /**
   * @param {object} setup
   * @param {(after: number, signal: AbortSignal) => Promise<LogPage>} setup.load As for a LogFollower.
   * @param {import("../lib/wire.js").Timers} setup.timers
   * @param {(isWanted: boolean) => void} setup.onWanted The first one has come, or the last one has gone.
   */
  constructor({ load, timers, onWanted }) {
    this.#load = load;
    this.#timers = timers;
    this.#onWanted = onWanted;
  }

  /**
   * @param {(update: import("../lib/wire.js").LogUpdate) => void} onLines
   * @param {AbortSignal | undefined} signal Ends it.
   * @param {boolean} hasLog Whether there are lines already.
   */
  follow(onLines, signal, hasLog) {
    if (signal?.aborted) return;
    const log = new LogFollower({ load: this.#load, onLines, timers: this.#timers });
    this.#all.add(log);
    if (this.#all.size === 1) this.#onWanted(true);
    signal?.addEventListener("abort", () => {
      log.stop();
      this.#all.delete(log);
      if (!this.#all.size) this.#onWanted(false);
    });
    if (hasLog) void log.sync();
  }

  /** @param {LogPage} page From a stream. */
  add(page) {
    for (const log of this.#all) log.add(page);
  }

  /** Lines may have come. */
  sync() {
    for (const log of this.#all) void log.sync();
  }

  /** The session has no log, or no longer has it. */
  forget() {
    for (const log of this.#all) log.forget();
  }

  /** Nothing is loaded before the next `sync`. */
  pause() {
    for (const log of this.#all) log.pause();
  }
}
