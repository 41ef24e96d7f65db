import { mock } from "node:test";

/** Runs all queued microtasks and immediates. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class ManualClock {
  now_ms = 0;
  /** @type {Set<{due_ms: number, action: () => void, isCleared: boolean}>} */
  timers = new Set();

  /** @param {() => void} action @param {number} delay_ms */
  setTimeout(action, delay_ms) {
    const timer = { due_ms: this.now_ms + delay_ms, action, isCleared: false };
    this.timers.add(timer);
    return timer;
  }

  /** @param {any} timer */
  clearTimeout(timer) {
    if (timer) timer.isCleared = true;
    this.timers.delete(timer);
  }

  /** Lets time pass; each timer fires at its time. @param {number} ms */
  async advance(ms) {
    const until_ms = this.now_ms + ms;
    await settled();
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.due_ms <= until_ms).sort((a, b) => a.due_ms - b.due_ms);
      if (!next) break;
      this.timers.delete(next);
      this.now_ms = next.due_ms;
      next.action();
      await settled();
    }
    this.now_ms = until_ms;
  }
}

/** Makes Date.now() follow a clock from now on. @param {ManualClock} clock */
export function timeOfDay(clock) {
  const ahead_ms = Date.now() - clock.now_ms;
  mock.method(Date, "now", () => ahead_ms + clock.now_ms);
}
