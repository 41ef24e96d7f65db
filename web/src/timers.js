/** setTimeout runs an action at once when the delay is longer than this. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Timers by name. Setting a name again replaces its timer, so that none is left behind. */
export class Timers {
  /** @type {Map<unknown, any>} */
  #handles = new Map();
  #timers;

  /** @param {import("../lib/wire.js").Timers} timers */
  constructor(timers) {
    this.#timers = timers;
  }

  /**
   * @param {unknown} name
   * @param {number} delay_ms
   * @param {() => void} action
   */
  set(name, delay_ms, action) {
    this.clear(name);
    const run = () => {
      this.#handles.delete(name);
      action();
    };
    this.#handles.set(name, this.#timers.setTimeout(run, Math.min(delay_ms, TIMER_MAX_MS)));
  }

  /** @param {unknown} name */
  isSet(name) {
    return this.#handles.has(name);
  }

  /** @param {unknown} name */
  clear(name) {
    this.#timers.clearTimeout(this.#handles.get(name));
    this.#handles.delete(name);
  }

  clearAll() {
    for (const name of [...this.#handles.keys()]) this.clear(name);
  }
}
