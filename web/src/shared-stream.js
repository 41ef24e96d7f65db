import { BY_LINK } from "./by-link.js";
import { HOPELESS, Stream } from "./stream.js";
import { isFolded } from "./stream-state.js";
import { Timers } from "./timers.js";

/** @typedef {import("./stream-state.js").StreamState} StreamState */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */
/** @typedef {import("./types.js").StreamEvent} StreamEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */
/** @typedef {import("./types.js").Wanted} Wanted */

/**
 * The server's `max_sessions_per_stream`. Further sessions are polled, since a second stream would take another of the
 * six connections that HTTP/1.1 allows to an origin.
 */
const SESSIONS_PER_STREAM = 20;
/** Trackers tend to start several at a time: the stream is reopened once for all of them. */
const GATHER_MS = 50;
/** A stream that is behind a poll must catch up within this time. */
export const CATCH_UP_MS = 5000;

/**
 * Follows all wanted sessions by one stream. When a session joins, the stream is reopened and resumes; it leaves out
 * sessions that are no longer wanted. A session for which there is no room gets a failure, and is polled.
 */
export class SharedStream {
  #settings;
  #state;
  #onEvent;
  #timers;
  /** @type {Set<string>} */
  #wanted = new Set();
  /** The sessions that the stream has, and those that it will be reopened with. @type {Set<string>} */
  #carried = new Set();
  /** Whether the stream brings the logs of its sessions, too. */
  #hasLog = false;
  /** @type {Stream | null} */
  #stream = null;

  /**
   * @param {StreamSettings} settings
   * @param {StreamState} state Kept up to date; the stream resumes from it.
   * @param {(event: SharedEvent) => void} onEvent
   */
  constructor(settings, state, onEvent) {
    this.#settings = settings;
    this.#state = state;
    this.#onEvent = onEvent;
    this.#timers = new Timers(settings.timers);
  }

  /** @param {Wanted} wanted All that is wanted from now on. */
  follow({ sessions, hasLog }) {
    this.#wanted = new Set(sessions);
    const isOther = hasLog !== this.#hasLog;
    this.#hasLog = hasLog;
    const kept = [...this.#carried].filter((id) => this.#wanted.has(id));
    if (!kept.length) this.#giveUp();
    const { data } = this.#state;
    // Sessions that another tab's stream had come first.
    const joining = [...this.#wanted].filter((id) => !this.#carried.has(id));
    joining.sort((a, b) => Number(data.has(b)) - Number(data.has(a)));
    const polled = joining.splice(Math.max(0, SESSIONS_PER_STREAM - kept.length));
    for (const id of joining) this.#carried.add(id);
    if (this.#stream?.isWaiting) polled.push(...joining);
    else if (joining.length || (isOther && this.#stream)) this.#openSoon();
    if (polled.length) this.#publish({ type: "failure", sessions: polled, failure: HOPELESS });
  }

  /** Ends the wait of a stream that waits before it connects again. */
  retryNow() {
    if (this.#stream?.isWaiting) this.#stream.open();
  }

  /** Begins again with snapshots. */
  restart() {
    this.#stream?.restart();
  }

  /** Keeps the state, so that another stream can resume from it. */
  close() {
    this.#timers.clearAll();
    this.#stream?.close();
    this.#stream = null;
    this.#carried.clear();
    this.#state.live.clear();
  }

  #openSoon() {
    if (this.#stream) {
      this.#timers.set("open", GATHER_MS, () => this.#stream?.open());
      return;
    }
    const receive = (/** @type {StreamEvent} */ event) => this.#receive(event);
    this.#stream = new Stream(this.#settings, () => this.#url(), this.#state.position, receive);
    this.#stream.open();
  }

  #url() {
    const { data } = this.#state;
    for (const id of this.#carried) if (!this.#wanted.has(id)) this.#drop(id);
    // The position may cover sessions whose data is no longer here, and the server would send nothing of those.
    if (![...this.#carried].every((id) => data.has(id))) this.#stream?.forgetPosition();
    const [first, ...others] = [...this.#carried].map(encodeURIComponent);
    const { baseUrl, isByLink } = this.#settings;
    const query = `heartbeat=event${this.#hasLog ? "&log=1" : ""}`;
    if (isByLink) return `${baseUrl}/api/progress/${first}/events?${query}&${BY_LINK}`;
    return others.length
      ? `${baseUrl}/api/events?session_id=${[first, ...others].join("&session_id=")}&${query}`
      : `${baseUrl}/api/progress/${first}/events?${query}`;
  }

  /** @param {string} id */
  #drop(id) {
    this.#carried.delete(id);
    this.#state.forget(id);
  }

  #giveUp() {
    for (const id of this.#carried) this.#drop(id);
    this.close();
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    const sessions = [...this.#carried];
    const { data: known } = this.#state;
    if (event.type === "end") {
      if (!sessions.every((id) => known.get(id)?.status === "completed")) return;
      this.#giveUp();
      // A tracker that still follows has not shown the end: a poll was ahead of it, or behind.
      this.#timers.set("again", CATCH_UP_MS, () => this.follow({ sessions: [...this.#wanted], hasLog: this.#hasLog }));
    } else if (isFolded(event.type) && !known.has(event.data.session.session_id)) {
      this.restart();
    } else {
      this.#publish({ ...event, sessions });
    }
  }

  /** @param {SharedEvent} event */
  #publish(event) {
    this.#state.apply(event);
    this.#onEvent(event);
  }
}
