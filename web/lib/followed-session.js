import { ProgressTracker } from "./index.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./use-progress.js").FollowedState} FollowedState */
/** @typedef {import("./use-progress.js").UseProgressOptions} UseProgressOptions */

/** @type {FollowedState} */
const CONNECTING = { data: null, state: "connecting" };
/** @type {FollowedState} */
const STOPPED = { data: null, state: "stopped" };

/**
 * A session as frameworks follow it: a state that is replaced when it changes, and subscriptions that last as long as
 * their component. Making one starts nothing, so a server that renders pages may do it too.
 */
export class FollowedSession {
  #sessionId;
  #options;
  #state;

  /**
   * @param {string | null | undefined} sessionId Without one nothing is followed.
   * @param {UseProgressOptions} [options]
   */
  constructor(sessionId, { interval, transport, baseUrl, withCredentials, token } = {}) {
    this.#sessionId = sessionId;
    const relayed = typeof token === "function" ? relayOf(token).call : (token ?? undefined);
    this.#options = { interval, transport, baseUrl, withCredentials, token: relayed };
    this.#state = sessionId ? CONNECTING : STOPPED;
  }

  getState = () => this.#state;

  /**
   * Follows the session by a tracker of its own.
   * @param {() => void} onChange
   * @returns {() => void} Stops it.
   */
  subscribe = (onChange) => {
    if (!this.#sessionId) return () => {};
    const stopping = new AbortController();
    const { signal } = stopping;
    /** @param {Partial<FollowedState>} change */
    const set = (change) => {
      this.#state = { ...this.#state, ...change };
      onChange();
    };
    let before = "";
    const tracker = new ProgressTracker(this.#sessionId, {
      ...this.#options,
      stopOnError: false,
      signal,
      onUpdate: (data) => {
        const json = JSON.stringify(data);
        // The tracker repeats data that has not changed, which must not run a component's effects again.
        if (json !== before) set({ data });
        before = json;
      },
    });
    tracker.addEventListener("statechange", () => set({ state: tracker.state }), { signal });
    void tracker.start();
    return () => stopping.abort();
  };
}
