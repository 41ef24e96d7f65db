import { ProgressListTracker } from "./index.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./use-progress.js").FollowedListState} FollowedListState */
/** @typedef {import("./use-progress.js").UseProgressListOptions} UseProgressListOptions */

/** A list of sessions as frameworks follow it: as FollowedSession is a session. */
export class FollowedList {
  #options;
  /** @type {FollowedListState} */
  #state;
  /** Of the newest subscription. @type {import("./wire.js").ProgressListTracker | null} */
  #tracker = null;
  #isExtended = false;

  /** @param {UseProgressListOptions} [options] */
  constructor({ prefix, labels, status, interval, transport, baseUrl, withCredentials, token } = {}) {
    const relayed = typeof token === "function" ? relayOf(token).call : (token ?? undefined);
    this.#options = { prefix, labels, status, interval, transport, baseUrl, withCredentials, token: relayed };
    this.#state = { data: null, state: "connecting", showMore: this.showMore };
  }

  getState = () => this.#state;

  /** Also for a component that is mounted later. */
  showMore = () => {
    this.#isExtended = true;
    this.#tracker?.showMore();
  };

  /**
   * Follows the list by a tracker of its own.
   * @param {() => void} onChange
   * @returns {() => void} Stops it.
   */
  subscribe = (onChange) => {
    const stopping = new AbortController();
    const { signal } = stopping;
    /** @param {Partial<FollowedListState>} change */
    const set = (change) => {
      this.#state = { ...this.#state, ...change };
      onChange();
    };
    const tracker = new ProgressListTracker({
      ...this.#options,
      signal,
      onUpdate: (data) => void (signal.aborted || set({ data })),
    });
    this.#tracker = tracker;
    tracker.addEventListener("statechange", () => set({ state: tracker.state }), { signal });
    if (this.#isExtended) tracker.showMore();
    tracker.start();
    return () => stopping.abort();
  };
}
