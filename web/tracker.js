/*
 * ProgressTracker: follows one session of a progress server, by its live stream where that works and by polling
 * where it does not. Load it plainly, <script src="/web/tracker.js"></script>, or import it through index.js.
 *
 * Two parts do the work and know nothing of each other: a Stream keeps one EventSource going, a Poller asks at
 * intervals. The tracker decides which of them is needed, folds what they bring into one picture, and tells the page.
 * No DOM in here, and no imports or exports: this file has to run as a plain script. The outer block, together with
 * strict mode, keeps its names off the page.
 */
"use strict";
{
  /**
   * @typedef {import("./wire.js").Progress} Progress
   * @typedef {import("./wire.js").StepEvent} StepEvent
   * @typedef {import("./wire.js").TrackerState} TrackerState
   * @typedef {import("./wire.js").TrackerOptions} TrackerOptions
   * @typedef {import("./wire.js").EventSourceLike} EventSourceLike
   * @typedef {NonNullable<TrackerOptions["EventSource"]>} EventSourceClass
   */

  const DEFAULT_INTERVAL_MS = 2000;
  /** The server's first heartbeat comes at once; silence for this long means that something in between holds it back. */
  const QUIET_MS = 5000;
  /** A stream that never said anything is not worth waiting longer for. */
  const NEVER_HEARD_MS = 15_000;
  const HEARTBEAT_MS = 15_000;
  const HEARTBEATS_MISSED = 3;
  const FAILURES_BEFORE_POLLING = 3;
  const BACKOFF_MIN_MS = 1000;
  const BACKOFF_MAX_MS = 30_000;
  const POLL_DEADLINE_MS = 30_000;
  const POLL_JITTER = 0.1;
  /** setTimeout takes a longer delay for none at all. */
  const TIMER_MAX_MS = 2 ** 31 - 1;
  /** How far the server's clock is ahead of this machine's, as its heartbeats tell: step times are the server's. */
  let serverAhead_ms = 0;
  /** EventSource.CLOSED; an injected class need not have the constant. */
  const CLOSED = 2;

  /** Named timers: arming a name again replaces it, so that no timer is ever forgotten. */
  class Alarms {
    /** @type {Map<unknown, any>} */
    #armed = new Map();
    #timers;

    /** @param {import("./wire.js").Timers} timers */
    constructor(timers) {
      this.#timers = timers;
    }

    /**
     * @param {unknown} name
     * @param {number} delay_ms
     * @param {() => void} action
     */
    arm(name, delay_ms, action) {
      this.disarm(name);
      const ring = () => {
        this.#armed.delete(name);
        action();
      };
      this.#armed.set(name, this.#timers.setTimeout(ring, Math.min(delay_ms, TIMER_MAX_MS)));
    }

    /** @param {unknown} name */
    disarm(name) {
      this.#timers.clearTimeout(this.#armed.get(name));
      this.#armed.delete(name);
    }

    disarmAll() {
      for (const name of [...this.#armed.keys()]) this.disarm(name);
    }
  }

  /**
   * Keeps one EventSource going. The browser reconnects by itself after most failures, at the pace the server asked for;
   * only what it gives up (readyState CLOSED: any answer but 200) or does not notice (silence) is replaced from here.
   */
  class Stream {
    #alarms;
    #listener;
    #url;
    #EventSource;
    #withCredentials;
    /** @type {EventSourceLike | null} */
    #source = null;
    /** The id of the last event applied: where a new connection goes on. "" asks for a snapshot. */
    #position = "";
    #failures = 0;
    #patience_ms = HEARTBEATS_MISSED * HEARTBEAT_MS;

    /**
     * @param {object} setup
     * @param {() => string} setup.url
     * @param {EventSourceClass} setup.EventSource
     * @param {boolean} setup.withCredentials
     * @param {import("./wire.js").Timers} setup.timers
     * @param {{onEvent: (type: string, data: any) => void, onFailure: (hopeless: boolean) => void}} listener
     *   `hopeless`: the stream may come back, but the page should not wait for it.
     */
    constructor({ url, EventSource, withCredentials, timers }, listener) {
      this.#url = url;
      this.#EventSource = EventSource;
      this.#withCredentials = withCredentials;
      this.#alarms = new Alarms(timers);
      this.#listener = listener;
    }

    open() {
      const position = this.#position && `&last_event_id=${encodeURIComponent(this.#position)}`;
      try {
        this.#source = new this.#EventSource(`${this.#url()}?heartbeat=event${position}`, {
          withCredentials: this.#withCredentials,
        });
      } catch (error) {
        console.error(error);
        this.#fail();
        return;
      }
      this.#listenTo(this.#source);
      this.#expectEvent(NEVER_HEARD_MS);
    }

    close() {
      this.#drop();
      this.#position = "";
      this.#failures = 0;
    }

    /** The page knows more than the position tells: what is sent from there would set it back. */
    forgetPosition() {
      if (!this.#position) return;
      this.#position = "";
      // The browser's own reconnect would send the old Last-Event-ID. The server answers polls: no need to wait long.
      this.#failures = 1;
      this.#reopenLater();
    }

    /** @param {EventSourceLike} source */
    #listenTo(source) {
      for (const type of ["snapshot", "step", "heartbeat", "end"]) {
        source.addEventListener(type, (event) => {
          if (source === this.#source) this.#receive(type, event);
        });
      }
      source.addEventListener("open", () => {
        if (source === this.#source) this.#expectEvent(NEVER_HEARD_MS);
      });
      source.addEventListener("error", () => {
        if (source === this.#source) this.#receiveError(source);
      });
    }

    /**
     * @param {string} type
     * @param {MessageEvent} event
     */
    #receive(type, event) {
      this.#failures = 0;
      this.#alarms.disarm("quiet");
      // Whoever had followed it to its end would have closed this stream: after `end` there is something we do not know.
      let inStep = type !== "end";
      try {
        const data = JSON.parse(event.data);
        if (type === "heartbeat" && data.interval_ms > 0) this.#patience_ms = HEARTBEATS_MISSED * data.interval_ms;
        if (type !== "heartbeat") this.#position = event.lastEventId;
        this.#watch(this.#patience_ms);
        this.#listener.onEvent(type, data);
      } catch (error) {
        console.error(error);
        inStep = false;
      }
      if (inStep || !this.#source) return;
      this.#position = "";
      this.#fail();
    }

    /** @param {EventSourceLike} source */
    #receiveError(source) {
      if (source.readyState === CLOSED) {
        this.#fail();
        return;
      }
      // The server's `retry:` decides when the browser tries again, and may well be longer than QUIET_MS.
      this.#failures += 1;
      this.#expectEvent(this.#patience_ms);
      this.#listener.onFailure(this.#failures >= FAILURES_BEFORE_POLLING);
    }

    /** @param {number} deadline_ms */
    #expectEvent(deadline_ms) {
      this.#alarms.arm("quiet", QUIET_MS, () => this.#listener.onFailure(true));
      this.#watch(deadline_ms);
    }

    /** @param {number} deadline_ms */
    #watch(deadline_ms) {
      this.#alarms.arm("dead", deadline_ms, () => this.#fail());
    }

    #fail() {
      this.#failures += 1;
      this.#reopenLater();
      this.#listener.onFailure(this.#failures >= FAILURES_BEFORE_POLLING);
    }

    /** Full jitter, so that clients cut off together do not come back together, above a floor that spares the server. */
    #reopenLater() {
      this.#drop();
      const ceiling_ms = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures);
      const delay_ms = BACKOFF_MIN_MS + Math.random() * (ceiling_ms - BACKOFF_MIN_MS);
      this.#alarms.arm("reopen", delay_ms, () => this.open());
    }

    #drop() {
      this.#alarms.disarmAll();
      this.#source?.close();
      this.#source = null;
    }
  }

  /**
   * What a poll came to. `retryAfter_ms`: how long the server asks to be left alone.
   * @typedef {{outcome: "answered", data: Progress, etag: string, retryAfter_ms: number}} Answered
   * @typedef {{outcome: "unchanged" | "denied" | "failed", retryAfter_ms: number}} NoData
   */

  /** Asks for the session's state: once, or at intervals. */
  class Poller {
    #alarms;
    #url;
    #fetch;
    #withCredentials;
    #poll;
    #interval_ms;
    /** @type {AbortController | null} */
    #running = null;

    /**
     * @param {object} setup
     * @param {() => string} setup.url
     * @param {typeof globalThis.fetch} setup.fetch
     * @param {boolean} setup.withCredentials
     * @param {import("./wire.js").Timers} setup.timers
     * @param {object} schedule
     * @param {(signal: AbortSignal) => Promise<{retryAfter_ms: number}>} schedule.poll One turn.
     * @param {() => number} schedule.interval_ms
     */
    constructor({ url, fetch, withCredentials, timers }, { poll, interval_ms }) {
      this.#url = url;
      this.#fetch = fetch;
      this.#withCredentials = withCredentials;
      this.#alarms = new Alarms(timers);
      this.#poll = poll;
      this.#interval_ms = interval_ms;
    }

    /** Polls now and then at intervals until stopped; does nothing where it does so already. */
    start() {
      if (this.#running) return;
      this.#running = new AbortController();
      const { signal } = this.#running;
      const turn = async () => {
        const { retryAfter_ms } = await this.#poll(signal);
        if (signal.aborted) return;
        const jitter = 1 + POLL_JITTER * (2 * Math.random() - 1);
        this.#alarms.arm("turn", Math.max(this.#interval_ms() * jitter, retryAfter_ms), turn);
      };
      void turn();
    }

    stop() {
      this.#alarms.disarm("turn");
      this.#running?.abort();
      this.#running = null;
    }

    /**
     * @param {string} etag Of the state that is known already, or "".
     * @param {AbortSignal} signal
     * @returns {Promise<Answered | NoData>} Never rejects.
     */
    async ask(etag, signal) {
      const request = new AbortController();
      const abort = () => {
        this.#alarms.disarm(request);
        request.abort();
      };
      signal.addEventListener("abort", abort);
      this.#alarms.arm(request, POLL_DEADLINE_MS, abort);
      try {
        return await this.#read(await this.#request(etag, request.signal));
      } catch {
        return { outcome: "failed", retryAfter_ms: 0 };
      } finally {
        signal.removeEventListener("abort", abort);
        this.#alarms.disarm(request);
      }
    }

    /**
     * @param {string} etag
     * @param {AbortSignal} signal
     */
    #request(etag, signal) {
      return this.#fetch(this.#url(), {
        headers: { Accept: "application/json", ...(etag && { "If-None-Match": etag }) },
        credentials: this.#withCredentials ? "include" : "same-origin",
        // Where the ETag is hidden from scripts, on another origin, the browser's cache still revalidates by itself.
        cache: "no-cache",
        signal,
      });
    }

    /**
     * @param {Response} response
     * @returns {Promise<Answered | NoData>}
     */
    async #read(response) {
      const retryAfter_ms = retryAfter(response);
      if (response.status === 304) return { outcome: "unchanged", retryAfter_ms };
      if (response.status === 401 || response.status === 403) return { outcome: "denied", retryAfter_ms };
      const data = response.status === 200 ? await response.json() : null;
      // A captive portal answers 200 to everything.
      if (!Array.isArray(data?.steps)) return { outcome: "failed", retryAfter_ms };
      return { outcome: "answered", data, etag: response.headers.get("ETag") ?? "", retryAfter_ms };
    }
  }

  /**
   * Milliseconds that a Retry-After header, seconds or a date, asks for. [RFC 9110 §10.2.3]
   * @param {Response} response
   */
  function retryAfter(response) {
    const value = response.headers.get("Retry-After") ?? "";
    const delay_ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return delay_ms > 0 ? delay_ms : 0;
  }

  /** The server's address, from that of this script. A module has no currentScript: index.js then fills it in. */
  function whereMounted() {
    const script = globalThis.document?.currentScript;
    const address = script && "src" in script ? script.src : "";
    return address.match(/^(.*)\/web\/tracker\.js(?:[?#]|$)/)?.[1] ?? "";
  }

  /**
   * Pages may sort or change what they are given, as they could when every update was an answer of its own.
   * @param {Progress} data
   * @returns {Progress}
   */
  function copyOf(data) {
    return { ...data, steps: data.steps.map((step) => ({ ...step })) };
  }

  class ProgressTracker extends EventTarget {
    static baseUrl = whereMounted();

    /**
     * @param {Progress} data
     * @param {StepEvent} event
     * @returns {Progress}
     */
    static fold(data, { step, session }) {
      const { session_id, current_step, total_steps, status, ...rest } = session;
      const steps = data.steps.map((entry) => (entry.step === step.step ? step : entry));
      return { session_id, current_step, total_steps, status, steps, ...rest };
    }

    /** @type {TrackerState} */
    #state = "stopped";
    /** @type {Progress | null} */
    #data = null;
    /** Of the poll that brought `#data`; "" where an event did, for a 304 would say nothing about that. */
    #etag = "";
    /** Events applied, and the number of the latest poll applied: they tell whether an answer was overtaken. */
    #eventsApplied = 0;
    #polls = 0;
    #pollApplied = 0;
    #transport;
    #stopOnError;
    #signal;
    #alarms;
    #poller;
    /** @type {Stream | null} */
    #stream = null;
    /** Aborted when the tracker stops; each run has its own. */
    #stopping = new AbortController();
    #firstUpdate = Promise.resolve();
    #settleFirstUpdate = () => {};

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
        baseUrl = ProgressTracker.baseUrl,
        withCredentials = false,
        signal,
        EventSource = globalThis.EventSource,
        // A browser's fetch insists on its own `this`.
        fetch = (...request) => globalThis.fetch(...request),
        timers = globalThis,
      } = options;
      this.sessionId = sessionId;
      this.interval = interval;
      this.onUpdate = onUpdate;
      this.onComplete = onComplete;
      this.onError = onError;
      this.#stopOnError = stopOnError;
      this.#transport = transport;
      this.#signal = signal;
      this.#alarms = new Alarms(timers);

      // Pages may set `sessionId` before they start.
      const url = () => `${baseUrl}/api/progress/${encodeURIComponent(this.sessionId)}`;
      this.#poller = new Poller(
        { url, fetch, withCredentials, timers },
        { poll: (stopped) => this.#pollInTurn(stopped), interval_ms: () => this.#interval_ms },
      );
      if (!EventSource && transport === "sse") throw new TypeError("transport 'sse' needs an EventSource");
      if (EventSource && transport !== "poll") {
        this.#stream = new Stream(
          { url: () => `${url()}/events`, EventSource, withCredentials, timers },
          {
            onEvent: (type, data) => this.#receive(type, data),
            onFailure: (hopeless) => this.#missStream(hopeless),
          },
        );
      }
      signal?.addEventListener("abort", () => this.stop());
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
      return Date.now() + serverAhead_ms;
    }

    start() {
      if (this.polling || this.#signal?.aborted) return this.#firstUpdate;
      this.#data = null;
      this.#etag = "";
      this.#firstUpdate = new Promise((resolve) => {
        this.#settleFirstUpdate = resolve;
      });
      const { signal } = this.#stopping;
      this.#enter("connecting");
      if (signal.aborted) return this.#firstUpdate; // A listener to the state has stopped it again.
      if (this.#stream) this.#stream.open();
      else this.#startPolling();
      return this.#firstUpdate;
    }

    stop() {
      if (this.polling) this.#shutDown("stopped");
    }

    async poll() {
      const { signal } = this.#stopping;
      const { outcome } = await this.#pollOnce(signal);
      // Whoever asks by hand is told, changed or not.
      if (outcome === "unchanged" && this.#data && !signal.aborted) this.#tell(this.#data);
    }

    /** Guards against nonsense that would make a timer spin. */
    get #interval_ms() {
      return this.interval > 0 ? this.interval : DEFAULT_INTERVAL_MS;
    }

    #startPolling() {
      if (this.#transport !== "sse") this.#poller.start();
    }

    /** @param {AbortSignal} signal */
    async #pollInTurn(signal) {
      const answer = await this.#pollOnce(signal);
      if (!signal.aborted) this.#enter(answer.outcome === "failed" ? "reconnecting" : "polling");
      return answer;
    }

    /**
     * @param {AbortSignal} signal
     * @returns {Promise<NoData | {outcome: "applied", retryAfter_ms: number}>}
     */
    async #pollOnce(signal) {
      const poll = ++this.#polls;
      const eventsBefore = this.#eventsApplied;
      const answer = await this.#poller.ask(this.#etag, signal);
      const { retryAfter_ms } = answer;
      if (signal.aborted) return { outcome: "failed", retryAfter_ms };
      if (answer.outcome === "denied") this.#shutDown("denied");
      if (answer.outcome !== "answered") return answer;
      const overtaken = eventsBefore !== this.#eventsApplied || poll < this.#pollApplied;
      if (overtaken) return { outcome: "unchanged", retryAfter_ms };
      this.#pollApplied = poll;
      this.#etag = answer.etag;
      if (JSON.stringify(answer.data) === JSON.stringify(this.#data)) return { outcome: "unchanged", retryAfter_ms };
      this.#stream?.forgetPosition();
      this.#apply(answer.data);
      return { outcome: "applied", retryAfter_ms };
    }

    /**
     * @param {string} type
     * @param {any} data
     */
    #receive(type, data) {
      this.#poller.stop();
      this.#enter("live");
      if (type === "heartbeat") serverAhead_ms = Date.parse(data.now) - Date.now() || 0;
      if (type !== "snapshot" && type !== "step") return;
      const next = type === "snapshot" ? data : this.#data && ProgressTracker.fold(this.#data, data);
      if (!next) return;
      this.#eventsApplied += 1;
      this.#etag = "";
      this.#apply(next);
    }

    /** @param {boolean} hopeless */
    #missStream(hopeless) {
      if (this.#state !== "polling") this.#enter("reconnecting");
      // A page that has nothing to show yet does not wait for a third failure.
      if (hopeless || !this.#data) this.#startPolling();
    }

    /** @param {Progress} data */
    #apply(data) {
      const { signal } = this.#stopping;
      const before = this.#data?.status;
      this.#data = data;
      this.#tell(data);
      if (signal.aborted || data.status === before) return;
      if (data.status === "completed") this.#finish("onComplete", data);
      if (data.status === "error" && this.#stopOnError) this.#finish("onError", data);
    }

    /** @param {Progress} data */
    #tell(data) {
      if (this.polling) this.#alarms.arm("tell", this.#interval_ms, () => this.#tell(data));
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
      this.#alarms.disarmAll();
      this.#stream?.close();
      this.#poller.stop();
      this.#stopping.abort();
      this.#stopping = new AbortController();
      this.#enter(state);
      this.#settleFirstUpdate();
    }

    /** @param {TrackerState} state */
    #enter(state) {
      if (state === this.#state) return;
      this.#state = state;
      this.dispatchEvent(new Event("statechange"));
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
   * It takes one argument only, since pages write `steps.filter(checkTimeout)`.
   * @param {import("./wire.js").Step} step
   */
  function checkTimeout(step) {
    if (step.status !== "running" || !step.started_at || !step.timeout_ms) return false;
    return Date.now() + serverAhead_ms - Date.parse(step.started_at) > step.timeout_ms;
  }

  globalThis.ProgressTracker = ProgressTracker;
  globalThis.checkTimeout = checkTimeout;
}
