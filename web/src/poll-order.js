const REPLACED_STATES = 10;

/** A poll that was sent: its number, and how many events had been applied. @typedef {{number: number, events: number}} SentPoll */

/**
 * Polls and events overtake each other on their way: decides which of them are older than what the page shows. States are
 * the session's data as JSON.
 */
export class PollOrder {
  /** Events applied, and the number of the latest poll applied: they show whether an answer was overtaken. */
  #events = 0;
  #polls = 0;
  #applied = 0;
  /** When the latest poll that has changed the page was answered. */
  #changed_ms = 0;
  /** A polled state that the stream has not reached yet; "" is none. Until then its events would set the page back. */
  #ahead = "";
  /** States that events have replaced: a process that is behind still answers with them. @type {string[]} */
  #replaced = [];

  /** Nothing is shown any more. */
  reset() {
    this.#ahead = "";
    this.#replaced = [];
  }

  /** A poll is sent now. @returns {SentPoll} */
  send() {
    this.#polls += 1;
    return { number: this.#polls, events: this.#events };
  }

  /**
   * Takes the answer to a poll, unless it was overtaken.
   * @param {SentPoll} poll
   * @param {string} state
   * @param {boolean} isLive Whether events arrive.
   * @returns {boolean} Whether it was taken.
   */
  takePoll({ number, events }, state, isLive) {
    const isBehind = isLive && this.#replaced.includes(state);
    if (events !== this.#events || number < this.#applied || isBehind) return false;
    this.#applied = number;
    return true;
  }

  /** A poll has changed the page. @param {string} state @param {boolean} isStreamed Whether the stream is to reach it. */
  change(state, isStreamed) {
    this.#changed_ms = Date.now();
    if (isStreamed) this.#ahead = state;
  }

  /**
   * Whether the stream, which has this state now, has not reached that of the latest poll yet.
   * @param {string} state
   * @param {number} since_ms The session was like that at this time or later; 0 if that is not known.
   */
  isBehindPoll(state, since_ms) {
    // A time in the future means that the clock was set back.
    const isNewer = since_ms > this.#changed_ms || (since_ms > 0 && this.#changed_ms > Date.now());
    return this.#ahead !== "" && !isNewer && state !== this.#ahead;
  }

  /** The stream has reached the latest poll. */
  catchUp() {
    this.#ahead = "";
  }

  /** An event replaces the state that was shown. @param {string} before */
  takeEvent(before) {
    this.#replaced = [...this.#replaced, before].slice(-REPLACED_STATES);
    this.#events += 1;
  }
}
