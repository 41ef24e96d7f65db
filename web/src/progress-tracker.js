import { absoluteUrl, baseUrlOfScript } from "./base-url.js";
import { browserFetch } from "./browser-fetch.js";
import { fetchByLink, rightsOfLink } from "./by-link.js";
import { fold } from "./fold.js";
import { Hub } from "./hub.js";
import { LogFollowers } from "./log-followers.js";
import { onReturn } from "./page-events.js";
import { PollOrder } from "./poll-order.js";
import { Poller } from "./poller.js";
import { serverClock } from "./server-clock.js";
import { SessionApi } from "./session-api.js";
import { CATCH_UP_MS } from "./shared-stream.js";
import { QUIET_MS } from "./stream.js";
import { hasChannels } from "./tab-coordinator.js";
import { Timers } from "./timers.js";
import { rightsOf, tokenText } from "./tokens.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").TrackerOptions} TrackerOptions */
/** @typedef {import("../lib/wire.js").TrackerState} TrackerState */
/** @typedef {import("./poller.js").NoData} NoData */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").SessionListener} SessionListener */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */
/** @typedef {import("./types.js").Token} Token */

const DEFAULT_INTERVAL_MS = 2000;

/** Chooses between stream and polls, and calls the page's callbacks. tracker-types.d.ts documents what is public. */
export class ProgressTracker extends EventTarget {
  static baseUrl = baseUrlOfScript();

  static fold = fold;

  /** @type {TrackerState} */
  #state = "stopped";
  /** @type {Progress | null} */
  #data = null;
  /** Of the poll that brought `#data`. "" if an event brought it: a 304 would say nothing about that. */
  #etag = "";
  #order = new PollOrder();
  #transport;
  #stopOnError;
  #signal;
  #timers;
  #poller;
  #api;
  /** Null if the tracker does not stream. @type {StreamSettings | null} */
  #settings = null;
  #mayStreamAlone;
  /** @type {Hub | null} */
  #hub = null;
  /** The id that the hub follows: pages may change `sessionId` meanwhile. */
  #followed = "";
  /** @type {SessionListener} */
  #listener = {
    onData: (data, since_ms, isChange) => this.#receive(data, since_ms, isChange),
    onAlive: () => this.#goLive(),
    onFailure: (failure) => this.#onFailure(failure),
    onLog: (page) => this.#logs.add(page),
    wantsLog: false,
  };
  #logs;
  /** Aborted when the tracker stops; each run has its own. */
  #stopping = new AbortController();
  #firstUpdate = Promise.resolve();
  #settleFirstUpdate = () => {};
  /** @type {Promise<Progress | null>} */
  #finished;
  /** @type {((data: Progress | null) => void) | null} */
  #settleFinished = null;

  /**
   * @param {string} sessionId
   * @param {TrackerOptions} [options]
   */
  constructor(sessionId, options = {}) {
    super();
    const {
      interval = DEFAULT_INTERVAL_MS,
      onUpdate,
      onComplete,
      onError,
      stopOnError = true,
      transport = "auto",
      withCredentials = false,
      token,
      byLink = false,
      signal,
      EventSource = globalThis.EventSource,
      fetch = browserFetch,
      timers = globalThis,
    } = options;
    const baseUrl = absoluteUrl(options.baseUrl ?? ProgressTracker.baseUrl);
    this.sessionId = sessionId;
    this.interval = interval;
    this.onUpdate = onUpdate;
    this.onComplete = onComplete;
    this.onError = onError;
    this.#stopOnError = stopOnError;
    this.#transport = transport;
    this.#signal = signal;
    this.#timers = new Timers(timers);
    this.#finished = this.#promiseFinish();

    // Pages may set `sessionId` before they start.
    const url = () => `${baseUrl}/api/progress/${encodeURIComponent(this.sessionId)}`;
    const access = { url, baseUrl, fetch: byLink ? fetchByLink(fetch) : fetch, withCredentials, timers, token };
    this.#api = new SessionApi(access);
    const load = this.#api.log.bind(this.#api);
    this.#logs = new LogFollowers({ load, timers, onWanted: (isWanted) => this.#wantLog(isWanted) });
    const polled = { ...access, array: /** @type {const} */ ("steps") };
    this.#poller = new Poller(polled, {
      poll: (stopped) => this.#pollInTurn(stopped),
      interval_ms: () => this.#interval_ms,
    });
    if (!EventSource && transport === "sse") throw new TypeError("transport 'sse' needs an EventSource");
    const isShared = options.EventSource === undefined && hasChannels();
    // Without sharing, six streams would leave no connection to the seventh tab, nor to its polls.
    this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
    if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
      const ticketFetch = token === undefined ? browserFetch : fetch;
      this.#settings = {
        baseUrl,
        EventSource,
        withCredentials,
        timers,
        isShared,
        token,
        rights: "",
        isByLink: byLink,
        query: null,
        fetch: ticketFetch,
      };
    }
  }

  get data() {
    return this.#data && copyOf(this.#data);
  }

  get finished() {
    return this.#finished;
  }

  get state() {
    return this.#state;
  }

  get polling() {
    return !["stopped", "finished", "denied"].includes(this.#state);
  }

  set polling(on) {
    if (!on) this.stop();
  }

  now() {
    return Date.now() + serverClock.ahead_ms;
  }

  start() {
    if (this.polling) return this.#firstUpdate;
    if (!this.#settleFinished) this.#finished = this.#promiseFinish();
    if (this.#signal?.aborted) {
      this.#settleFinish(null);
      return this.#firstUpdate;
    }
    this.#data = null;
    this.#etag = "";
    this.#order.reset();
    this.#firstUpdate = new Promise((resolve) => {
      this.#settleFirstUpdate = resolve;
    });
    const { signal } = this.#stopping;
    if (!this.#enter("connecting")) return this.#firstUpdate;
    this.#signal?.addEventListener("abort", () => this.stop(), { signal });
    onReturn(() => this.#check(), signal);
    if (this.#settings) {
      this.#follow();
      this.#expectFirst();
    } else {
      this.#startPolling();
    }
    return this.#firstUpdate;
  }

  stop() {
    if (this.polling) this.#shutDown("stopped");
  }

  async poll() {
    if (this.#poller.isHeldOff) return;
    const { signal } = this.#stopping;
    const { outcome } = await this.#pollOnce(signal);
    // The page has asked, so it gets an update even if nothing has changed.
    if (outcome === "unchanged" && this.#data && !signal.aborted) this.#update(this.#data);
  }

  /** @param {import("../lib/wire.js").RequestKind} kind @param {import("../lib/wire.js").RequestOptions} [options] */
  request(kind, options = {}) {
    return this.#api.ask(kind, options);
  }

  /** @param {{signal?: AbortSignal}} [options] */
  mayRequest({ signal } = {}) {
    return this.#api.mayAsk(signal);
  }

  /** @param {number} step @param {{signal?: AbortSignal}} [options] */
  parts(step, { signal } = {}) {
    return this.#api.parts(step, signal);
  }

  /** @param {(update: import("../lib/wire.js").LogUpdate) => void} onLines @param {{signal?: AbortSignal}} [options] */
  followLog(onLines, { signal } = {}) {
    this.#logs.follow(onLines, signal, this.#data?.log === true);
  }

  /** @param {boolean} isWanted */
  #wantLog(isWanted) {
    this.#listener.wantsLog = isWanted;
    this.#hub?.changeWanted();
  }

  /** Lines may have come between the polls of a page without a stream, at the end of one, and while a tab was away. */
  #syncLogs() {
    if (this.#data?.log) this.#logs.sync();
  }

  /** @param {{signal?: AbortSignal}} [options] */
  steps({ signal } = {}) {
    return this.#api.steps(signal);
  }

  /** @param {{signal?: AbortSignal}} [options] */
  serverSteps({ signal } = {}) {
    return this.#api.serverSteps(signal);
  }

  /** A nonsensical interval would make a timer spin. */
  get #interval_ms() {
    return this.interval > 0 ? this.interval : DEFAULT_INTERVAL_MS;
  }

  #promiseFinish() {
    /** @type {Promise<Progress | null>} */
    const finished = new Promise((resolve) => {
      this.#settleFinished = resolve;
    });
    return finished;
  }

  /** @param {Progress | null} data */
  #settleFinish(data) {
    this.#settleFinished?.(data);
    this.#settleFinished = null;
  }

  #follow() {
    if (!this.#settings) return;
    const { token, isByLink } = this.#settings;
    if (isByLink) this.#followBy({ ...this.#settings, rights: rightsOfLink(this.sessionId) });
    else if (token === undefined) this.#followBy(this.#settings);
    else void this.#followWithToken(this.#settings, token);
  }

  /** @param {StreamSettings} settings */
  #followBy(settings) {
    if (this.#hub?.hasSettings(settings)) return;
    this.#unfollow();
    this.#hub = Hub.of(settings);
    this.#followed = String(this.sessionId);
    this.#hub.follow(this.#followed, this.#listener);
  }

  /**
   * A token function answers later, and its tokens may change their rights.
   * @param {StreamSettings} settings
   * @param {Token} token
   */
  async #followWithToken(settings, token) {
    const { signal } = this.#stopping;
    const rights = await tokenText(token).then(rightsOf, () => null);
    if (signal.aborted) return;
    const isShared = settings.isShared && rights !== null;
    if (isShared || this.#mayStreamAlone) this.#followBy({ ...settings, isShared, rights: rights ?? "" });
    else this.#goAlone();
  }

  #unfollow() {
    const hub = this.#hub;
    this.#hub = null;
    hub?.unfollow(this.#followed, this.#listener);
  }

  /** Leaves the shared stream. @param {boolean} [isAnswered] As for #startPolling. */
  #goAlone(isAnswered) {
    if (!this.polling) return;
    this.#unfollow();
    this.#startPolling(isAnswered);
    if (!this.#settings || this.#transport !== "sse") return;
    this.#settings = { ...this.#settings, isShared: false };
    this.#follow();
  }

  /** @param {boolean} [isAnswered] Another poll has just been answered. */
  #startPolling(isAnswered = false) {
    this.#timers.clear("first");
    if (this.polling && this.#transport !== "sse") this.#poller.start(isAnswered);
  }

  /** Makes sure now that the page is up to date. */
  #check() {
    this.#syncLogs();
    if (this.#poller.isRunning) this.#poller.pollNow();
    else if (this.#transport !== "sse") void this.#verify();
  }

  async #verify() {
    if (this.#poller.isHeldOff) return;
    const { signal } = this.#stopping;
    const { outcome } = await this.#pollOnce(signal);
    // The stream may be dead as well; its next event ends the polling.
    if (outcome === "failed" && !signal.aborted) this.#startPolling();
  }

  /** @param {AbortSignal} signal */
  async #pollInTurn(signal) {
    const { outcome } = await this.#pollOnce(signal);
    const isAnswered = outcome === "applied" || outcome === "unchanged";
    if (signal.aborted) return;
    if (isAnswered) this.#syncLogs();
    this.#enter(isAnswered ? "polling" : "reconnecting");
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<NoData | {outcome: "applied"}>}
   */
  async #pollOnce(signal) {
    const poll = this.#order.send();
    const answer = await this.#poller.request(this.#etag, signal);
    if (signal.aborted) return { outcome: "failed" };
    if (answer.outcome === "denied") this.#shutDown("denied");
    // If the server rejects this session, it would reject the whole stream that others share with it.
    else if (answer.outcome === "rejected") this.#goAlone(true);
    else if (answer.outcome !== "failed" && this.polling) this.#follow();
    if (answer.outcome !== "answered") return answer;
    const polled = JSON.stringify(answer.data);
    if (!this.#order.takePoll(poll, polled, this.#state === "live")) return { outcome: "unchanged" };
    this.#etag = answer.etag;
    if (polled === JSON.stringify(this.#data)) return { outcome: "unchanged" };
    this.#order.change(polled, this.#hub !== null);
    if (this.#hub) this.#expectStream();
    this.#apply(answer.data);
    return { outcome: "applied" };
  }

  /**
   * The steps of a stream lead through every polled state, to the byte; only a newer snapshot may skip it.
   * A stream that does not get there in time is restarted; while it is not live, polls carry on.
   */
  #expectStream() {
    const restart = () => void (this.#state === "live" && this.#hub?.restart());
    this.#timers.set("catch up", CATCH_UP_MS, restart);
  }

  #goLive() {
    this.#poller.stop();
    if (this.#enter("live")) this.#expectFirst();
  }

  /** The stream may be slow or broken, or a proxy may have let only its first bytes through. */
  #expectFirst() {
    if (!this.polling || this.#data || this.#timers.isSet("first")) return;
    this.#timers.set("first", QUIET_MS, () => void (this.#data || this.#startPolling()));
  }

  /**
   * @param {Progress} data
   * @param {number} since_ms The session was like that at this time or later.
   * @param {boolean} isChange
   */
  #receive(data, since_ms, isChange) {
    // A change that others missed is resent: it may be older than this tracker, and its `error` be over.
    if (isChange && !this.#data) return;
    const state = JSON.stringify(data);
    if (this.#order.isBehindPoll(state, since_ms)) {
      if (!this.#timers.isSet("catch up")) this.#expectStream();
      return;
    }
    this.#order.catchUp();
    this.#timers.clear("catch up");
    const before = JSON.stringify(this.#data);
    if (state === before) return;
    this.#order.takeEvent(before);
    this.#etag = "";
    this.#apply(data);
  }

  /** @param {Failure} failure */
  #onFailure({ isHopeless, isRefused }) {
    if (this.#state !== "polling" && !this.#enter("reconnecting")) return;
    // A page that has nothing to show yet does not wait for a third failure.
    if (isHopeless || !this.#data) this.#startPolling();
    // An EventSource hides the status of a refusal; a poll shows whether it was for lack of permission.
    const isPolled = this.#poller.isRunning || this.#poller.isHeldOff;
    if (isRefused && !isPolled) void this.#pollOnce(this.#stopping.signal);
  }

  /** @param {Progress} data */
  #apply(data) {
    const { signal } = this.#stopping;
    const { status: before, log: hadLog } = this.#data ?? {};
    this.#data = data;
    if (!data.log) this.#logs.forget();
    else if (!hadLog || data.status !== before) this.#syncLogs();
    this.#update(data);
    if (signal.aborted || data.status === before) return;
    if (data.status === "completed") this.#finish("onComplete", data);
    if (data.status === "error" && this.#stopOnError) this.#finish("onError", data);
  }

  /** @param {Progress} data */
  #update(data) {
    if (this.polling) this.#timers.set("update", this.#interval_ms, () => this.#update(data));
    const settle = this.#settleFirstUpdate;
    void this.#call("onUpdate", data);
    settle();
  }

  /**
   * @param {"onComplete" | "onError"} callback
   * @param {Progress} data
   */
  #finish(callback, data) {
    this.#shutDown("finished");
    void this.#call(callback, data);
  }

  /** @param {"stopped" | "finished" | "denied"} state */
  #shutDown(state) {
    this.#timers.clearAll();
    // After the end of the session its last lines are still to be loaded.
    if (state !== "finished") this.#logs.pause();
    this.#unfollow();
    this.#poller.close();
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#settleFinish(state === "finished" ? this.data : null);
    this.#settleFirstUpdate();
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

  /**
   * @param {"onUpdate" | "onComplete" | "onError"} callback
   * @param {Progress} data
   */
  async #call(callback, data) {
    try {
      await this[callback]?.(copyOf(data));
    } catch (error) {
      console.error(error);
    }
  }
}

/**
 * Pages may sort or change the data that they are given.
 * @param {Progress} data
 * @returns {Progress}
 */
function copyOf(data) {
  return JSON.parse(JSON.stringify(data));
}
