import { absoluteUrl } from "./base-url.js";
import { browserFetch } from "./browser-fetch.js";
import { Hub } from "./hub.js";
import { listOf, queryOf } from "./list-page.js";
import { keptList, ListState, MAX_LISTED } from "./list-state.js";
import { ListStream } from "./list-stream.js";
import { onReturn } from "./page-events.js";
import { Poller } from "./poller.js";
import { ProgressTracker } from "./progress-tracker.js";
import { serverClock } from "./server-clock.js";
import { QUIET_MS } from "./stream.js";
import { hasChannels } from "./tab-coordinator.js";
import { Timers } from "./timers.js";
import { rightsOf, tokenText } from "./tokens.js";

/** @typedef {import("../lib/wire.js").ListTrackerOptions} ListTrackerOptions */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */
/** @typedef {import("../lib/wire.js").TrackerState} TrackerState */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */

const DEFAULT_INTERVAL_MS = 3000;
/** A longer list than that of the stream is requested again at this interval. */
const EXTENDED_EVERY_MS = 30_000;
/** As many as the stream begins with. */
const FIRST_LISTED = 100;

/** @type {import("./hub.js").Kind} */
function ofList(settings) {
  const state = new ListState();
  return { state, openStream: (onEvent) => new ListStream(settings, state, onEvent) };
}

/** Chooses between stream and polls for a list. tracker-types.d.ts documents what is public. */
export class ProgressListTracker extends EventTarget {
  /** @type {TrackerState} */
  #state = "stopped";
  /** @type {SessionList | null} */
  #data = null;
  #onUpdate;
  #signal;
  #timers;
  #poller;
  #query;
  #mayPoll;
  #mayStreamAlone;
  /** Null if the tracker does not stream. @type {StreamSettings | null} */
  #settings = null;
  /** @type {Hub | null} */
  #hub = null;
  #limit = FIRST_LISTED;
  /** Aborted when the tracker stops; each run has its own. */
  #stopping = new AbortController();
  /** The older sessions are being requested. */
  #isExtending = false;
  /** A list that is shown only with them: without, rows would go and come back. @type {SessionList | null} */
  #withheld = null;
  /** @type {import("./types.js").SessionListener<SessionList>} */
  #listener = {
    onData: (data) => this.#receive(data),
    onAlive: () => this.#goLive(),
    onFailure: (failure) => this.#onFailure(failure),
  };

  /** @param {ListTrackerOptions} [options] */
  constructor(options = {}) {
    super();
    const {
      interval = DEFAULT_INTERVAL_MS,
      transport = "auto",
      withCredentials = false,
      onUpdate,
      token,
      signal,
      EventSource = globalThis.EventSource,
      fetch = browserFetch,
      timers = globalThis,
    } = options;
    const baseUrl = absoluteUrl(options.baseUrl ?? ProgressTracker.baseUrl);
    this.#onUpdate = onUpdate;
    this.#signal = signal;
    this.#timers = new Timers(timers);
    this.#query = queryOf(options);
    this.#mayPoll = transport !== "sse";
    const url = () => `${baseUrl}/api/progress?${this.#query}&limit=${this.#limit}`;
    const access = { url, array: /** @type {const} */ ("sessions"), fetch, withCredentials, timers, token };
    this.#poller = new Poller(access, {
      poll: (stopped) => this.#pollInTurn(stopped),
      interval_ms: () => (interval > 0 ? interval : DEFAULT_INTERVAL_MS),
    });
    const isShared = options.EventSource === undefined && hasChannels();
    // Without sharing, six streams would leave no connection to the seventh tab.
    this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
    if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
      const ticketFetch = token === undefined ? browserFetch : fetch;
      const access = { baseUrl, EventSource, withCredentials, timers, token, fetch: ticketFetch };
      this.#settings = { ...access, isShared, rights: "", isByLink: false, query: this.#query };
    }
  }

  get state() {
    return this.#state;
  }

  get data() {
    return this.#data;
  }

  now() {
    return Date.now() + serverClock.ahead_ms;
  }

  get #isStarted() {
    return !["stopped", "denied"].includes(this.#state);
  }

  start() {
    if (this.#isStarted || this.#signal?.aborted) return;
    this.#data = null;
    this.#withheld = null;
    const { signal } = this.#stopping;
    if (!this.#enter("connecting")) return;
    this.#signal?.addEventListener("abort", () => this.stop(), { signal });
    onReturn(() => this.#poller.pollNow(), signal);
    if (this.#settings) void this.#follow(this.#settings);
    else this.#poller.start(false);
  }

  stop() {
    if (this.#isStarted) this.#shutDown("stopped");
  }

  showMore() {
    this.#limit = MAX_LISTED;
    if (this.#state === "live") void this.#extend();
    else this.#poller.pollNow();
  }

  /** A token function answers later. @param {StreamSettings} settings */
  async #follow(settings) {
    const { signal } = this.#stopping;
    const { token } = settings;
    const rights = token === undefined ? "" : await tokenText(token).then(rightsOf, () => null);
    if (signal.aborted) return;
    const isShared = settings.isShared && rights !== null;
    if (!isShared && !this.#mayStreamAlone) {
      this.#poller.start(false);
      return;
    }
    this.#hub = Hub.of({ ...settings, isShared, rights: rights ?? "" }, ofList);
    this.#hub.follow(this.#query, this.#listener);
    // The stream may be slow or broken, or a proxy may have let only its first bytes through.
    this.#timers.set("first", QUIET_MS, () => void (this.#data || this.#startPolling()));
  }

  #startPolling() {
    if (this.#isStarted && this.#mayPoll) this.#poller.start(false);
  }

  #goLive() {
    this.#poller.stop();
    this.#enter("live");
  }

  /** @param {SessionList} data */
  #receive(data) {
    if (data === this.#data) return;
    const isShort = data.more && data.sessions.length < this.#limit && this.#limit > FIRST_LISTED;
    if (isShort && this.#isCut(data)) {
      this.#withheld = data;
      void this.#extend();
      return;
    }
    const { signal } = this.#stopping;
    this.#show(data);
    if (!signal.aborted && isShort && !this.#timers.isSet("extend")) void this.#extend();
  }

  /** Whether a new `list` has taken the place of a longer one. @param {SessionList} data */
  #isCut({ sessions, more }) {
    if (!this.#data) return false;
    return sessions.length < this.#data.sessions.length - 1 || (more && !this.#data.more);
  }

  /** Adds the sessions that are older than those of the stream. */
  async #extend() {
    if (this.#isExtending) return;
    this.#isExtending = true;
    const { signal } = this.#stopping;
    this.#hub?.beginExtending();
    const answer = await this.#poller.request("", signal);
    this.#isExtending = false;
    if (signal.aborted) return;
    this.#timers.set("extend", EXTENDED_EVERY_MS, () => void this.#extend());
    const withheld = this.#withheld;
    this.#withheld = null;
    if (answer.outcome === "answered" && this.#state === "live") this.#hub?.extend(this.#query, listOf(answer.data));
    else if (withheld && this.#state === "live") this.#show(withheld);
  }

  /** @param {Failure} failure */
  #onFailure({ isHopeless, isRefused }) {
    if (this.#state !== "polling" && !this.#enter("reconnecting")) return;
    if (isHopeless || !this.#data) this.#startPolling();
    // An EventSource hides the status of a refusal; a poll shows whether it was for lack of permission.
    const isPolled = this.#poller.isRunning || this.#poller.isHeldOff;
    if (isRefused && !isPolled) void this.#pollOnce(this.#stopping.signal);
  }

  /** @param {AbortSignal} stopped */
  async #pollInTurn(stopped) {
    const isAnswered = await this.#pollOnce(stopped);
    if (!stopped.aborted) this.#enter(isAnswered ? "polling" : "reconnecting");
  }

  /** @param {AbortSignal} signal @returns {Promise<boolean>} Whether it was answered. */
  async #pollOnce(signal) {
    const answer = await this.#poller.request("", signal);
    if (signal.aborted) return false;
    if (answer.outcome === "denied") this.#shutDown("denied");
    if (answer.outcome !== "answered") return false;
    const list = keptList(listOf(answer.data), this.#data);
    if (this.#state !== "live" && list !== this.#data) this.#show(list);
    return true;
  }

  /** @param {SessionList} data */
  #show(data) {
    this.#timers.clear("first");
    this.#data = data;
    void this.#callOnUpdate(data);
  }

  /** @param {SessionList} data */
  async #callOnUpdate(data) {
    try {
      await this.#onUpdate?.(data);
    } catch (error) {
      console.error(error);
    }
  }

  /** @param {"stopped" | "denied"} state */
  #shutDown(state) {
    this.#timers.clearAll();
    this.#hub?.unfollow(this.#query, this.#listener);
    this.#hub = null;
    this.#poller.close();
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#enter(state);
  }

  /** @param {TrackerState} state @returns {boolean} False if a listener has stopped the tracker. */
  #enter(state) {
    if (state === this.#state) return true;
    const { signal } = this.#stopping;
    this.#state = state;
    this.dispatchEvent(new Event("statechange"));
    return !signal.aborted;
  }
}
