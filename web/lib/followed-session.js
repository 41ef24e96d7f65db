import { ProgressTracker } from "./index.js";
import { canAsk } from "./requests.js";
import { SessionRequests } from "./session-requests.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./use-progress.js").FollowedState} FollowedState */
/** @typedef {import("./use-progress.js").UseProgressOptions} UseProgressOptions */
/** @typedef {import("./wire.js").RequestKind} RequestKind */

/** @type {readonly RequestKind[]} */
const KINDS = ["cancel", "retry"];

/**
 * A session as frameworks follow it: a state that is replaced when it changes, and subscriptions that last as long as
 * their component. Making one starts nothing, so a server that renders pages may do it too.
 */
export class FollowedSession {
  #sessionId;
  #options;
  /** @type {FollowedState} */
  #state;
  /** Of the newest subscription. */
  #requests = new SessionRequests(() => {});

  /**
   * @param {string | null | undefined} sessionId Without one nothing is followed.
   * @param {UseProgressOptions} [options]
   */
  constructor(sessionId, { interval, transport, baseUrl, withCredentials, token } = {}) {
    this.#sessionId = sessionId;
    const relayed = typeof token === "function" ? relayOf(token).call : (token ?? undefined);
    this.#options = { interval, transport, baseUrl, withCredentials, token: relayed };
    const state = sessionId ? "connecting" : "stopped";
    this.#state = { data: null, state, canRequest: [], request: this.request };
  }

  getState = () => this.#state;

  /** @type {FollowedState["request"]} */
  request = (kind, options) => this.#requests.send(kind, options);

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
      const state = { ...this.#state, ...change };
      this.#state = { ...state, canRequest: kindsFor(state, requests) };
      onChange();
    };
    const requests = new SessionRequests(() => set({}));
    this.#requests = requests;
    let before = "";
    const tracker = new ProgressTracker(this.#sessionId, {
      ...this.#options,
      stopOnError: false,
      signal,
      onUpdate: (data) => {
        if (signal.aborted) return;
        requests.update(data);
        const json = JSON.stringify(data);
        // The tracker repeats data that has not changed, which must not run a component's effects again.
        if (json !== before) set({ data });
        before = json;
      },
    });
    requests.start(tracker, signal);
    tracker.addEventListener(
      "statechange",
      () => {
        if (tracker.state === "live" || tracker.state === "polling") requests.forgetRight();
        set({ state: tracker.state });
      },
      { signal },
    );
    void tracker.start();
    return () => stopping.abort();
  };
}

/**
 * What the reader may ask for now. It stays the same array while nothing changes.
 * @param {FollowedState} state
 * @param {SessionRequests} requests
 */
function kindsFor({ data, canRequest }, { isAllowed }) {
  const kinds = data && isAllowed ? KINDS.filter((kind) => canAsk(kind, data)) : [];
  return kinds.join() === canRequest.join() ? canRequest : kinds;
}
