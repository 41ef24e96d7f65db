import { LATE_MS, ServerClock, serverClock } from "./server-clock.js";
import { Timers } from "./timers.js";
import { fetchWithToken, rightsOf, tokenText } from "./tokens.js";

/** @typedef {import("../lib/wire.js").EventSourceLike} EventSourceLike */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").StreamEvent} StreamEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */
/** @typedef {import("./types.js").Token} Token */

/** The server's first heartbeat comes at once. Silence for this long means that something in between holds it back. */
export const QUIET_MS = 5000;
/** A connection on which nothing has arrived is given up after this time. */
const NEVER_HEARD_MS = 15_000;
const HEARTBEAT_MS = 15_000;
const HEARTBEATS_MISSED = 3;
const FAILURES_BEFORE_POLLING = 3;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 30_000;
/** The browser gets at least this long to reconnect by itself: a full server asks it to wait for half a minute. */
const RECONNECT_MS = 45_000;
/** EventSource's values of readyState. An injected class need not have the constants. */
const OPEN = 1;
const CLOSED = 2;

/** The events of a stream of sessions, and of a list of them. */
const TYPES = /** @type {const} */ (["snapshot", "step", "session", "list", "removed", "heartbeat", "log", "end"]);

/** @type {Failure} */
export const HOPELESS = { isHopeless: true, isRefused: false };

/**
 * Keeps one EventSource connected. After most failures the browser reconnects by itself, at the server's pace. The
 * stream replaces a connection only where the browser gives it up (readyState CLOSED: any status but 200), does not
 * notice its death (silence), or tries twice within a second.
 *
 * With a token, each connection has its own ticket, which is valid once. The browser waits as long as the server asked,
 * reconnects with the used ticket in vain, and is then given a new one.
 */
export class Stream {
  #timers;
  #onEvent;
  #url;
  #settings;
  /** Set while a ticket is requested. @type {AbortController | null} */
  #ticketRequest = null;
  /** @type {EventSourceLike | null} */
  #source = null;
  /** The browser may have used the connection's ticket. */
  #isTicketUsed = false;
  /** The id of the last event applied, from which a new connection resumes. "" asks for a snapshot. */
  #position;
  #failures = 0;
  /** As in StreamEvent: when the connection began, or when its last heartbeat was sent. */
  #since_ms = 0;
  #interval_ms = HEARTBEAT_MS;
  /** By this stream's heartbeats; before the first one, by polls. */
  #clock = new ServerClock();
  /** The connection's events arrive late: something holds them back. */
  #isLate = false;
  /** The connection has brought an event. */
  #hasEvent = false;
  /** The connection has opened and brought nothing yet. */
  #isMute = false;

  /**
   * @param {StreamSettings} settings
   * @param {() => string} url With a query; called for each connection.
   * @param {string} position
   * @param {(event: StreamEvent) => void} onEvent
   */
  constructor(settings, url, position, onEvent) {
    this.#url = url;
    this.#settings = settings;
    this.#timers = new Timers(settings.timers);
    this.#position = position;
    this.#onEvent = onEvent;
  }

  /** Whether the stream waits before it connects again. */
  get isWaiting() {
    return this.#source === null && this.#ticketRequest === null;
  }

  open() {
    this.#drop();
    this.#begin();
    this.#expectEvent(NEVER_HEARD_MS);
    if (this.#settings.token === undefined) this.#connect("");
    else void this.#connectWithTicket(this.#settings.token);
  }

  /** @param {string} ticket */
  #connect(ticket) {
    const { EventSource, withCredentials } = this.#settings;
    try {
      const url = this.#url();
      const position = this.#position && `&last_event_id=${encodeURIComponent(this.#position)}`;
      this.#source = new EventSource(url + position + (ticket && `&ticket=${ticket}`), { withCredentials });
    } catch (error) {
      console.error(error);
      this.#fail();
      return;
    }
    this.#listenTo(this.#source, ticket !== "");
  }

  /** @param {Token} token */
  async #connectWithTicket(token) {
    this.#ticketRequest = new AbortController();
    const { signal } = this.#ticketRequest;
    const ticket = await this.#requestTicket(token, signal).catch(() => undefined);
    if (signal.aborted) return;
    this.#ticketRequest = null;
    if (typeof ticket === "string") this.#connect(ticket);
    else this.#fail({ isRefused: ticket === null });
  }

  /**
   * Null if the token is no longer valid, or no longer has the rights that the tabs share. "" if the server has no
   * tickets, since it is open or an application decides who may read.
   * @param {Token} token
   * @param {AbortSignal} signal
   * @returns {Promise<string | null>}
   */
  async #requestTicket(token, signal) {
    const { baseUrl, fetch, withCredentials, isShared, rights } = this.#settings;
    const credentials = withCredentials ? "include" : "same-origin";
    const init = /** @type {const} */ ({ method: "POST", credentials, signal });
    const response = await fetchWithToken(token, fetch, `${baseUrl}/api/tickets`, init);
    if (response.status === 401 || (isShared && rightsOf(await tokenText(token)) !== rights)) return null;
    if ([403, 404, 405].includes(response.status)) return "";
    if (!response.ok) throw new Error(`no ticket: ${response.status}`);
    return encodeURIComponent((await response.json()).ticket);
  }

  close() {
    this.#drop();
  }

  /** Lets the next connection begin with snapshots. */
  forgetPosition() {
    this.#position = "";
  }

  /** Begins again with snapshots. A poll has just reached the server, so there is no need to wait long. */
  restart() {
    if (this.#source?.readyState !== OPEN) return;
    this.#position = "";
    this.#failures = 1;
    this.#reopenLater();
  }

  #begin() {
    this.#since_ms = Date.now();
    this.#hasEvent = false;
    this.#isLate = false;
  }

  /** @param {EventSourceLike} source @param {boolean} hasTicket */
  #listenTo(source, hasTicket) {
    for (const type of TYPES) {
      source.addEventListener(type, (event) => {
        if (this.#isCurrent(source)) this.#receive(type, event);
      });
    }
    source.addEventListener("open", () => {
      if (!this.#isCurrent(source)) return;
      this.#isMute = true;
      this.#expectEvent(NEVER_HEARD_MS);
    });
    source.addEventListener("error", () => {
      if (!this.#isCurrent(source)) return;
      if (source.readyState === CLOSED && this.#isTicketUsed) {
        if (this.#isTooFast) this.#fail();
        else this.open();
        return;
      }
      this.#isTicketUsed = hasTicket;
      this.#receiveError(source);
    });
  }

  /**
   * WebKit connects a closed EventSource again when its page comes back from the cache of pages, so it is closed twice.
   * @param {EventSourceLike} source
   */
  #isCurrent(source) {
    if (source !== this.#source) source.close();
    return source === this.#source;
  }

  /**
   * @param {Exclude<StreamEvent["type"], "failure">} type
   * @param {MessageEvent} event
   */
  #receive(type, event) {
    this.#failures = 0;
    this.#isMute = false;
    // A listener that has applied the end closes this stream. If none does, it has missed something before the `end`.
    let inStep = type !== "end";
    try {
      const data = JSON.parse(event.data);
      if (type === "heartbeat") this.#takeHeartbeat(data);
      else if (type !== "log") this.#position = event.lastEventId; // Lines have no id.
      this.#giveUpAfter(this.#patience_ms);
      this.#timers.set("quiet", this.#interval_ms + LATE_MS, () => this.#reportLate());
      const failure = this.#isLate ? HOPELESS : undefined;
      const isFirst = !this.#hasEvent;
      this.#hasEvent = true;
      this.#onEvent({ type, data, failure, position: this.#position, since_ms: this.#since_ms, isFirst });
    } catch (error) {
      console.error(error);
      inStep = false;
    }
    if (inStep || !this.#source) return;
    this.#position = "";
    this.#fail();
  }

  /** @param {import("../lib/wire.js").Heartbeat} data */
  #takeHeartbeat({ now, interval_ms }) {
    if (interval_ms > 0) this.#interval_ms = interval_ms;
    const sample_ms = Date.parse(now) - Date.now();
    if (Number.isNaN(this.#clock.estimate_ms)) this.#clock.add(serverClock.estimate_ms);
    const isKnown = this.#clock.isNear(sample_ms);
    this.#isLate = this.#clock.isLate(sample_ms);
    this.#clock.add(sample_ms);
    // Events after this heartbeat are no older than it.
    if (isKnown) this.#since_ms = Date.parse(now) - this.#clock.estimate_ms;
  }

  get #patience_ms() {
    return HEARTBEATS_MISSED * this.#interval_ms;
  }

  /** @param {EventSourceLike} source */
  #receiveError(source) {
    if (source.readyState === CLOSED) {
      this.#fail({ isRefused: true });
      return;
    }
    this.#begin();
    // A full server answers 200 and ends the response at once, with a `retry:` that says when to come back.
    const isTurnedAway = this.#isMute;
    this.#isMute = false;
    const failure = isTurnedAway ? { isHopeless: true } : {};
    if (this.#isTooFast) {
      this.#fail(failure);
      return;
    }
    this.#timers.set("pace", BACKOFF_MIN_MS, () => {});
    // The server's `retry:` decides when the browser tries again, which may be after more than QUIET_MS.
    this.#failures += 1;
    this.#expectEvent(Math.max(RECONNECT_MS, this.#patience_ms));
    this.#reportFailure(failure);
  }

  /** The last attempt failed a moment ago. Such a server is spared another at once, whatever its `retry:` says. */
  get #isTooFast() {
    return this.#timers.isSet("pace");
  }

  /** @param {number} deadline_ms */
  #expectEvent(deadline_ms) {
    this.#timers.set("quiet", QUIET_MS, () => this.#reportFailure({ isHopeless: true }));
    this.#giveUpAfter(deadline_ms);
  }

  /** @param {number} deadline_ms */
  #giveUpAfter(deadline_ms) {
    this.#timers.set("dead", deadline_ms, () => this.#fail());
  }

  #reportLate() {
    this.#isLate = true;
    this.#reportFailure({ isHopeless: true });
  }

  /** @param {Partial<Failure>} [failure] */
  #fail(failure = {}) {
    this.#failures += 1;
    this.#reopenLater();
    this.#reportFailure(failure);
  }

  /** @param {Partial<Failure>} failure */
  #reportFailure({ isRefused = false, isHopeless = this.#failures >= FAILURES_BEFORE_POLLING }) {
    this.#onEvent({ type: "failure", failure: { isRefused, isHopeless } });
  }

  /** Full jitter keeps clients that were cut off together from coming back together; a minimum spares the server. */
  #reopenLater() {
    this.#drop();
    const ceiling_ms = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures);
    const delay_ms = BACKOFF_MIN_MS + Math.random() * (ceiling_ms - BACKOFF_MIN_MS);
    this.#timers.set("reopen", delay_ms, () => this.open());
  }

  #drop() {
    this.#timers.clearAll();
    this.#ticketRequest?.abort();
    this.#ticketRequest = null;
    this.#source?.close();
    this.#source = null;
    this.#isTicketUsed = false;
    this.#isMute = false;
  }
}
