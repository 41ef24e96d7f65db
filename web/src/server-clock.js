/** A network may delay a heartbeat by this much. A longer delay means that something holds the stream back. */
export const LATE_MS = 5000;
const SAMPLES = 5;
/** No heartbeat is delayed by this much: one of the two clocks was set. */
const CLOCK_SET_MS = 60_000;

/**
 * Estimates how far the server's clock is ahead of this machine's: step times are the server's.
 * A sample is the server's time when it sent something, minus the time here when that arrived. A delay makes a sample
 * too small, so the largest of the last few is the best estimate.
 */
export class ServerClock {
  /** @type {number[]} */
  #samples = [];

  /** 0 while there is no sample. */
  get ahead_ms() {
    return this.estimate_ms || 0;
  }

  /** NaN while there is no sample. */
  get estimate_ms() {
    return this.#samples.length ? Math.max(...this.#samples) : NaN;
  }

  /** Whether the message with this sample was held back on its way. @param {number} sample_ms */
  isLate(sample_ms) {
    return this.estimate_ms - sample_ms > LATE_MS && this.isNear(sample_ms);
  }

  /** Whether the sample is by the same clock as the estimate. @param {number} sample_ms */
  isNear(sample_ms) {
    return Math.abs(this.estimate_ms - sample_ms) <= CLOCK_SET_MS;
  }

  /** @param {number} sample_ms NaN is ignored. */
  add(sample_ms) {
    if (Number.isNaN(sample_ms)) return;
    if (this.ahead_ms - sample_ms > CLOCK_SET_MS) this.#samples = [];
    this.#samples = [...this.#samples, sample_ms].slice(-SAMPLES);
  }
}

/** The estimate of the whole page. */
export const serverClock = new ServerClock();
