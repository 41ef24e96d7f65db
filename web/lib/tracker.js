/* Written by build.js from the modules in src/. */
// @ts-nocheck
"use strict";
(() => {
  // src/server-clock.js
  var LATE_MS = 5e3;
  var SAMPLES = 5;
  var CLOCK_SET_MS = 6e4;
  var ServerClock = class {
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
  };
  var serverClock = new ServerClock();

  // src/check-timeout.js
  function checkTimeout(step) {
    if (step.status !== "running" || !step.started_at || !step.timeout_ms) return false;
    return Date.now() + serverClock.ahead_ms - Date.parse(step.started_at) > step.timeout_ms;
  }

  // src/base-url.js
  function baseUrlOfScript() {
    const script = globalThis.document?.currentScript;
    const address = script && script instanceof HTMLScriptElement ? script.src : "";
    return address.match(/^(.*)\/web\/tracker\.js(?:[?#]|$)/)?.[1] ?? "";
  }
  function absoluteUrl(baseUrl) {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    const folder = `${baseUrl.replace(/\/+$/, "")}/`;
    return URL.canParse?.(folder, base) ? new URL(folder, base).href.slice(0, -1) : baseUrl;
  }

  // src/browser-fetch.js
  var browserFetch = (...request) => globalThis.fetch(...request);

  // src/timers.js
  var TIMER_MAX_MS = 2 ** 31 - 1;
  var Timers = class {
    /** @type {Map<unknown, any>} */
    #handles = /* @__PURE__ */ new Map();
    #timers;
    /** @param {import("../lib/wire.js").Timers} timers */
    constructor(timers) {
      this.#timers = timers;
    }
    /**
     * @param {unknown} name
     * @param {number} delay_ms
     * @param {() => void} action
     */
    set(name, delay_ms, action) {
      this.clear(name);
      const run = () => {
        this.#handles.delete(name);
        action();
      };
      this.#handles.set(name, this.#timers.setTimeout(run, Math.min(delay_ms, TIMER_MAX_MS)));
    }
    /** @param {unknown} name */
    isSet(name) {
      return this.#handles.has(name);
    }
    /** @param {unknown} name */
    clear(name) {
      this.#timers.clearTimeout(this.#handles.get(name));
      this.#handles.delete(name);
    }
    clearAll() {
      for (const name of [...this.#handles.keys()]) this.clear(name);
    }
  };

  // src/connection-slot.js
  var SLOTS = 4;
  var MINOR_SLOTS = 3;
  var ANSWER_MS = 200;
  var RECOUNT_MS = 15e3;
  var SPREAD_MS = 2e3;
  var ConnectionSlot = class {
    #origin;
    #name;
    #isMinor;
    #timers;
    #on;
    /** Aborted to give it back. @type {AbortController | null} */
    #taking = null;
    /** Without locks. @type {"" | "claimed" | "taken"} */
    #hold = "";
    /** Without locks: whether the stream may be open. */
    #isOpen = false;
    /** @type {BroadcastChannel | null} */
    #channel = null;
    #id = Math.random().toString(36).slice(2);
    /** The slots that others have answered to have: whether each is minor. @type {Map<string, boolean>} */
    #others = /* @__PURE__ */ new Map();
    /**
     * @param {import("./types.js").StreamSettings} settings
     * @param {{full: () => void, free: () => void}} on `full`: there is none, and this one waits; `free`: it has one now.
     */
    constructor({ baseUrl, query, isByLink, timers }, on) {
      this.#origin = originOf(baseUrl);
      this.#name = `progress-sse stream of ${this.#origin}`;
      this.#isMinor = query !== null || isByLink;
      this.#timers = new Timers(timers);
      this.#on = on;
    }
    /** Takes a slot, or waits for one. */
    take() {
      if (this.#taking || isMultiplexed(this.#origin)) return;
      this.#taking = new AbortController();
      const { signal } = this.#taking;
      const locks = globalThis.navigator?.locks;
      if (!locks) this.#join();
      else this.#lock(locks, signal).catch(() => void (signal.aborted || this.#joinLate()));
    }
    /** Gives it back. */
    release() {
      this.#taking?.abort();
      this.#taking = null;
      this.#timers.clearAll();
      if (this.#hold) this.#post("free");
      this.#hold = "";
      this.#isOpen = false;
      this.#channel?.close();
      this.#channel = null;
    }
    // With Web Locks
    /** @param {LockManager} locks @param {AbortSignal} signal */
    async #lock(locks, signal) {
      const slots = Array.from({ length: this.#isMinor ? MINOR_SLOTS : SLOTS }, (_, index) => index).reverse();
      for (const slot of slots) if (await this.#request(locks, slot, signal)) return;
      if (signal.aborted) return;
      this.#on.full();
      const waiting = new AbortController();
      signal.addEventListener("abort", () => waiting.abort());
      await Promise.any(slots.map((slot) => this.#request(locks, slot, signal, waiting)));
      if (!signal.aborted) this.#on.free();
    }
    /**
     * Resolves to whether it got the lock, which it holds until the signal is aborted.
     * @param {LockManager} locks
     * @param {number} slot
     * @param {AbortSignal} signal
     * @param {AbortController} [waiting] Waits for one of several locks, until there is one. Without it nothing waits.
     * @returns {Promise<boolean>}
     */
    #request(locks, slot, signal, waiting) {
      const options = waiting ? { signal: waiting.signal } : { ifAvailable: true };
      return new Promise((resolve, reject) => {
        const hold = (lock) => {
          if (!lock || signal.aborted || waiting?.signal.aborted) {
            resolve(false);
            return;
          }
          waiting?.abort();
          resolve(true);
          return new Promise((end) => signal.addEventListener("abort", end));
        };
        locks.request(`${this.#name} ${slot}`, options, hold).catch(reject);
      });
    }
    // Without
    #joinLate() {
      this.#on.free();
      this.#join();
    }
    /** What opens its stream at first goes on, unless the others have all slots. */
    #join() {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      this.#isOpen = true;
      this.#claim();
    }
    #claim() {
      this.#hold = "claimed";
      this.#others.clear();
      this.#post("count");
      this.#timers.set("answers", ANSWER_MS, () => this.#decide());
    }
    /** @param {"count" | "held" | "free"} kind */
    #post(kind) {
      const isClaim = this.#hold === "claimed";
      this.#channel?.postMessage({ kind, slot: this.#id, isMinor: this.#isMinor, isClaim });
    }
    #decide() {
      const minor = [...this.#others.values()].filter(Boolean).length;
      const isFull = this.#others.size >= SLOTS || this.#isMinor && minor >= MINOR_SLOTS;
      this.#hold = isFull ? "" : "taken";
      if (isFull) this.#timers.set("again", RECOUNT_MS, () => this.#claim());
      if (isFull !== this.#isOpen) return;
      this.#isOpen = !isFull;
      if (isFull) this.#on.full();
      else this.#on.free();
    }
    /** @param {{kind: "count" | "held" | "free", slot: string, isMinor: boolean, isClaim: boolean}} message */
    #receive({ kind, slot, isMinor, isClaim }) {
      if (kind === "count" && this.#hold) this.#post("held");
      if (kind !== "free" && (!isClaim || slot < this.#id)) this.#others.set(slot, isMinor);
      if (kind === "free" && !this.#hold) this.#timers.set("again", SPREAD_MS * Math.random(), () => this.#claim());
    }
  };
  function originOf(baseUrl) {
    return URL.canParse?.(baseUrl) ? new URL(baseUrl).origin : "";
  }
  function isMultiplexed(origin) {
    const entriesOf = (type) => globalThis.performance?.getEntriesByType?.(type) ?? [];
    const loaded = (
      /** @type {PerformanceResourceTiming[]} */
      [...entriesOf("navigation"), ...entriesOf("resource")]
    );
    return loaded.some(({ name, nextHopProtocol }) => /^h[23]/.test(nextHopProtocol) && originOf(name) === origin);
  }

  // src/tokens.js
  var TIME_CLAIMS = ["exp", "iat", "nbf", "jti"];
  var cached = /* @__PURE__ */ new WeakMap();
  function tokenText(token) {
    if (typeof token === "string") return Promise.resolve(token);
    const known = cached.get(token);
    if (known) return known;
    const text = Promise.resolve().then(token);
    cached.set(token, text);
    text.catch(() => forgetToken(token, text));
    return text;
  }
  function forgetToken(token, text) {
    if (typeof token !== "string" && cached.get(token) === text) cached.delete(token);
  }
  function unlessAborted(text, signal) {
    return new Promise((resolve, reject) => {
      text.then(resolve, reject);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }
  async function fetchWithToken(token, fetch, url, init) {
    const request = async () => {
      const text = tokenText(token);
      const bearer = await unlessAborted(text, init.signal).catch((error) => {
        forgetToken(token, text);
        throw error;
      });
      const headers = { ...init.headers, ...bearer && { Authorization: `Bearer ${bearer}` } };
      const response2 = await fetch(url, { ...init, headers });
      if (response2.status === 401) forgetToken(token, text);
      return response2;
    };
    const response = await request();
    return response.status === 401 && typeof token !== "string" ? request() : response;
  }
  function rightsOf(text) {
    try {
      const [, payload = ""] = text.split(".");
      const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
      return JSON.stringify(
        Object.entries(claims).filter(([name]) => !TIME_CLAIMS.includes(name)).sort()
      );
    } catch {
      return null;
    }
  }

  // src/stream.js
  var QUIET_MS = 5e3;
  var NEVER_HEARD_MS = 15e3;
  var HEARTBEAT_MS = 15e3;
  var HEARTBEATS_MISSED = 3;
  var FAILURES_BEFORE_POLLING = 3;
  var BACKOFF_MIN_MS = 1e3;
  var BACKOFF_MAX_MS = 3e4;
  var RECONNECT_MS = 45e3;
  var OPEN = 1;
  var CLOSED = 2;
  var TYPES = (
    /** @type {const} */
    ["snapshot", "step", "session", "list", "removed", "heartbeat", "log", "end"]
  );
  var HOPELESS = { isHopeless: true, isRefused: false };
  var Stream = class {
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
      if (this.#settings.token === void 0) this.#connect("");
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
      const ticket = await this.#requestTicket(token, signal).catch(() => void 0);
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
      const init = (
        /** @type {const} */
        { method: "POST", credentials, signal }
      );
      const response = await fetchWithToken(token, fetch, `${baseUrl}/api/tickets`, init);
      if (response.status === 401 || isShared && rightsOf(await tokenText(token)) !== rights) return null;
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
      let inStep = type !== "end";
      try {
        const data = JSON.parse(event.data);
        if (type === "heartbeat") this.#takeHeartbeat(data);
        else if (type !== "log") this.#position = event.lastEventId;
        this.#giveUpAfter(this.#patience_ms);
        this.#timers.set("quiet", this.#interval_ms + LATE_MS, () => this.#reportLate());
        const failure = this.#isLate ? HOPELESS : void 0;
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
      const isTurnedAway = this.#isMute;
      this.#isMute = false;
      const failure = isTurnedAway ? { isHopeless: true } : {};
      if (this.#isTooFast) {
        this.#fail(failure);
        return;
      }
      this.#timers.set("pace", BACKOFF_MIN_MS, () => {
      });
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
  };

  // src/limited-stream.js
  var LimitedStream = class {
    #source;
    #onEvent;
    #slot;
    /** @type {Wanted} */
    #wanted = { sessions: [], hasLog: false };
    #isFull = false;
    /**
     * @param {StreamSettings} settings
     * @param {StreamSource} source
     * @param {(event: SharedEvent) => void} onEvent
     */
    constructor(settings, source, onEvent) {
      this.#source = source;
      this.#onEvent = onEvent;
      this.#slot = new ConnectionSlot(settings, { full: () => this.#giveWay(), free: () => this.#goOn() });
    }
    /** @param {Wanted} wanted */
    follow(wanted) {
      this.#wanted = wanted;
      if (this.#isFull) this.#reportFull();
      else this.#source.follow(wanted);
      this.#slot.take();
    }
    retryNow() {
      this.#source.retryNow();
    }
    restart() {
      this.#source.restart();
    }
    close() {
      this.#slot.release();
      this.#isFull = false;
      this.#source.close();
    }
    #giveWay() {
      this.#isFull = true;
      this.#source.close();
      this.#reportFull();
    }
    #goOn() {
      this.#isFull = false;
      this.#source.follow(this.#wanted);
    }
    #reportFull() {
      this.#onEvent({ type: "failure", sessions: this.#wanted.sessions, failure: HOPELESS });
    }
  };

  // src/page-events.js
  function onReturn(action, signal) {
    const { document } = globalThis;
    const ifVisible = () => void (document.visibilityState === "visible" && action());
    document?.addEventListener?.("visibilitychange", ifVisible, { signal });
    globalThis.addEventListener?.("online", action, { signal });
    globalThis.addEventListener?.("pageshow", ({ persisted }) => void (persisted && action()), { signal });
  }
  function onPutAway({ leave, comeBack }, signal) {
    globalThis.addEventListener?.("pagehide", leave, { signal });
    globalThis.document?.addEventListener?.("freeze", leave, { signal });
    globalThis.document?.addEventListener?.("resume", comeBack, { signal });
    onReturn(comeBack, signal);
  }

  // src/by-link.js
  var BY_LINK = "link=1";
  function fetchByLink(fetch) {
    return (url, init) => fetch(`${url}${String(url).includes("?") ? "&" : "?"}${BY_LINK}`, init);
  }
  function rightsOfLink(sessionId) {
    return `link ${sessionId}`;
  }

  // src/fold.js
  function fold(data, event) {
    const { session_id, current_step, total_steps, status, steps: _, ...rest } = (
      /** @type {Progress} */
      event.session
    );
    const steps = "step" in event ? withStep(data.steps, event.step) : data.steps;
    return { session_id, current_step, total_steps, status, steps, ...rest };
  }
  function withStep(steps, changed) {
    if (changed.step === steps.length + 1) return [...steps, changed];
    return steps.map((step) => step.step === changed.step ? changed : step);
  }

  // src/stream-state.js
  var isFolded = (type) => type === "step" || type === "session";
  var StreamState = class {
    /** @type {Map<string, Progress>} */
    data = /* @__PURE__ */ new Map();
    /** The event id to resume from. */
    position = "";
    /** The sessions whose stream works. @type {Set<string>} */
    live = /* @__PURE__ */ new Set();
    /** @param {SharedEvent} event */
    apply(event) {
      for (const id of event.sessions) {
        if (event.failure) this.live.delete(id);
        else this.live.add(id);
      }
      this.position = event.position ?? this.position;
      const changed = this.changed(event);
      const before = changed && this.data.get(changed);
      if (changed && event.type === "snapshot") this.data.set(changed, event.data);
      if (changed && isFolded(event.type) && before) this.data.set(changed, fold(before, event.data));
    }
    /** The session that an event changes, if it changes one. @param {SharedEvent} event @returns {string | undefined} */
    changed({ type, data }) {
      if (type === "snapshot") return data.session_id;
      return isFolded(type) ? data.session.session_id : void 0;
    }
    /** @param {string} id */
    forget(id) {
      this.data.delete(id);
      this.live.delete(id);
    }
  };

  // src/shared-stream.js
  var SESSIONS_PER_STREAM = 20;
  var GATHER_MS = 50;
  var CATCH_UP_MS = 5e3;
  var SharedStream = class {
    #settings;
    #state;
    #onEvent;
    #timers;
    /** @type {Set<string>} */
    #wanted = /* @__PURE__ */ new Set();
    /** The sessions that the stream has, and those that it will be reopened with. @type {Set<string>} */
    #carried = /* @__PURE__ */ new Set();
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
      const joining = [...this.#wanted].filter((id) => !this.#carried.has(id));
      joining.sort((a, b) => Number(data.has(b)) - Number(data.has(a)));
      const polled = joining.splice(Math.max(0, SESSIONS_PER_STREAM - kept.length));
      for (const id of joining) this.#carried.add(id);
      if (this.#stream?.isWaiting) polled.push(...joining);
      else if (joining.length || isOther && this.#stream) this.#openSoon();
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
      const receive = (event) => this.#receive(event);
      this.#stream = new Stream(this.#settings, () => this.#url(), this.#state.position, receive);
      this.#stream.open();
    }
    #url() {
      const { data } = this.#state;
      for (const id of this.#carried) if (!this.#wanted.has(id)) this.#drop(id);
      if (![...this.#carried].every((id) => data.has(id))) this.#stream?.forgetPosition();
      const [first, ...others] = [...this.#carried].map(encodeURIComponent);
      const { baseUrl, isByLink } = this.#settings;
      const query = `heartbeat=event${this.#hasLog ? "&log=1" : ""}`;
      if (isByLink) return `${baseUrl}/api/progress/${first}/events?${query}&${BY_LINK}`;
      return others.length ? `${baseUrl}/api/events?session_id=${[first, ...others].join("&session_id=")}&${query}` : `${baseUrl}/api/progress/${first}/events?${query}`;
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
  };

  // src/tab-coordinator.js
  var GROUP = "progress-sse 5";
  var ELECTION_MS = 200;
  var HANDOVER_MS = 100;
  var PING_MS = 3e3;
  var ANSWER_MS2 = 1500;
  var ANSWERS_MISSED = 1;
  var ANNOUNCE_MS = 6e4;
  var TAB_EXPIRY_MS = 2e5;
  function hasChannels() {
    try {
      new BroadcastChannel("progress-sse").close();
      return true;
    } catch {
      return false;
    }
  }
  var TabCoordinator = class {
    #id = Math.random().toString(36).slice(2);
    #state;
    #openStream;
    #listener;
    #timers;
    #name;
    /** @type {BroadcastChannel | null} */
    #channel = null;
    /** @type {Wanted} */
    #wanted = { sessions: [], hasLog: false };
    /** What the other tabs want. @type {Map<string, Wanted>} */
    #others = /* @__PURE__ */ new Map();
    /** How often the stream has changed hands, as far as this tab knows. */
    #term = 0;
    /** "": the next tab that says it holds the stream. */
    #holder = "";
    /** Set while this tab is the holder. @type {StreamSource | null} */
    #stream = null;
    /** @type {LockManager | undefined} */
    #locks = globalThis.navigator?.locks;
    /** Aborted to give up the lock, or the request for it. */
    #claim = new AbortController();
    /**
     * @param {StreamSettings} settings
     * @param {FollowedState} state
     * @param {(onEvent: (event: SharedEvent) => void) => StreamSource} openStream
     * @param {{onEvent: (event: SharedEvent) => void, onState: () => void}} listener
     */
    constructor(settings, state, openStream, listener) {
      this.#state = state;
      this.#openStream = openStream;
      this.#listener = listener;
      this.#timers = new Timers(settings.timers);
      this.#name = [
        GROUP,
        settings.baseUrl,
        settings.withCredentials && "with credentials",
        settings.rights,
        settings.query
      ].filter(Boolean).join(" ");
    }
    /** @param {Wanted} wanted All that is wanted in this tab from now on. */
    follow(wanted) {
      const { sessions } = this.#wanted;
      if (!this.#stream) {
        for (const id of wanted.sessions) if (!sessions.includes(id)) this.#state.forget(id);
      }
      this.#wanted = wanted;
      if (this.#channel) this.#announce();
      else this.#join();
      if (!this.#timers.isSet("silence")) this.#expectStream();
      this.#stream?.follow(this.#wantedByAll());
    }
    /** Ends the wait of a stream that waits before it connects again, and asks whether the holder is still there. */
    retryNow() {
      if (this.#stream) {
        this.#stream.retryNow();
      } else {
        this.#post({ kind: "retry" });
        this.#ask();
      }
    }
    /** Begins again with snapshots. */
    restart() {
      if (this.#stream) this.#stream.restart();
      else this.#post({ kind: "restart" });
    }
    close() {
      this.#post({ kind: "gone" });
      this.#channel?.close();
      this.#channel = null;
      this.#release();
      this.#claim.abort();
      this.#timers.clearAll();
      this.#others.clear();
      this.#state.live.clear();
      this.#holder = "";
    }
    #join() {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      this.#ask();
      this.#requestStream();
    }
    /** @param {Record<string, unknown>} message */
    #post(message) {
      this.#channel?.postMessage({ ...message, tab: this.#id, term: this.#term });
    }
    /** Says what this tab follows. The holder answers, and forgets tabs that have been silent for long. */
    #announce() {
      this.#post({ kind: "follow", wanted: this.#wanted });
      this.#timers.set("announce", ANNOUNCE_MS, () => this.#announce());
    }
    /** @param {number} [unanswered] */
    #ask(unanswered = 0) {
      if (unanswered > ANSWERS_MISSED) {
        this.#steal();
        return;
      }
      this.#announce();
      this.#timers.set("ask", ANSWER_MS2, () => this.#ask(unanswered + 1));
    }
    /** Each message of the holder puts the question off. */
    #askLater() {
      this.#timers.set("ask", PING_MS * (1 + Math.random()), () => this.#ask());
    }
    /** Trackers poll if no stream works for their session in time. */
    #expectStream() {
      this.#timers.set("silence", QUIET_MS, () => {
        const sessions = this.#wanted.sessions.filter((id) => !this.#state.live.has(id));
        this.#listener.onEvent({ type: "failure", sessions, failure: HOPELESS });
      });
    }
    /** @returns {Wanted} */
    #wantedByAll() {
      const all = [this.#wanted, ...this.#others.values()];
      const sessions = [...new Set(all.flatMap((each) => each.sessions))];
      return { sessions, hasLog: all.some(({ hasLog }) => hasLog) };
    }
    // Becoming the holder
    #requestStream() {
      if (this.#locks) this.#requestLock({});
      else this.#takeSoon();
    }
    #steal() {
      if (this.#locks) this.#requestLock({ steal: true });
      else this.#take();
    }
    /** A random delay lets one tab be the first. */
    #takeSoon() {
      this.#timers.set("take", ELECTION_MS * (1 + Math.random()), () => this.#take());
    }
    /** @param {{steal?: boolean}} how */
    #requestLock(how) {
      this.#claim.abort();
      const claim = new AbortController();
      this.#claim = claim;
      const hold = () => new Promise((resolve) => {
        claim.signal.addEventListener("abort", resolve);
        if (claim.signal.aborted) resolve(void 0);
        else this.#timers.set("take", this.#term && HANDOVER_MS, () => this.#take());
      });
      const options = how.steal ? how : { signal: claim.signal };
      this.#locks?.request(this.#name, options, hold).catch((error) => {
        if (claim.signal.aborted) return;
        if (error.name !== "AbortError") this.#locks = void 0;
        this.#release();
        this.#holder = "";
        this.#ask();
        this.#requestStream();
      });
    }
    #take() {
      if (this.#stream) return;
      this.#timers.clear("ask");
      this.#term += 1;
      this.#holder = this.#id;
      this.#state.live.clear();
      const wanted = this.#wantedByAll();
      for (const id of [...this.#state.data.keys()]) if (!wanted.sessions.includes(id)) this.#state.forget(id);
      this.#stream = this.#openStream((event) => {
        this.#post({ kind: "event", event });
        this.#listener.onEvent(event);
      });
      this.#expectStream();
      this.#postHold(this.#state);
      this.#stream.follow(wanted);
    }
    #release() {
      this.#timers.clear("take");
      this.#stream?.close();
      this.#stream = null;
    }
    /** Says that this tab is the holder. @param {FollowedState} [state] For tabs that may not have it. */
    #postHold(state) {
      this.#post({ kind: "hold", state, ahead_ms: serverClock.estimate_ms });
    }
    // Messages of the other tabs
    /** @param {any} message */
    #receive(message) {
      if (message.kind === "follow") this.#onFollow(message);
      if (message.kind === "gone") this.#onGone(message.tab);
      if (message.kind === "hold") this.#onHold(message);
      if (message.kind === "event") this.#onEvent(message);
      if (message.kind === "retry") this.#stream?.retryNow();
      if (message.kind === "restart") this.#stream?.restart();
    }
    /** @param {{tab: string, wanted: Wanted}} message */
    #onFollow({ tab, wanted }) {
      const isKnown = JSON.stringify(this.#others.get(tab)?.sessions) === JSON.stringify(wanted.sessions);
      this.#others.set(tab, wanted);
      this.#timers.set(`tab ${tab}`, TAB_EXPIRY_MS, () => this.#forgetTab(tab));
      if (!this.#stream) return;
      this.#postHold(isKnown ? void 0 : this.#state);
      this.#stream.follow(this.#wantedByAll());
    }
    /** @param {string} tab */
    #onGone(tab) {
      this.#timers.clear(`tab ${tab}`);
      this.#forgetTab(tab);
      if (tab === this.#holder && !this.#locks) this.#takeSoon();
    }
    /** @param {string} tab */
    #forgetTab(tab) {
      this.#others.delete(tab);
      this.#stream?.follow(this.#wantedByAll());
    }
    /** @param {{tab: string, term: number, state?: FollowedState, ahead_ms: number}} message */
    #onHold({ tab, term, state, ahead_ms }) {
      const isOutdated = this.#holder && (term < this.#term || term === this.#term && tab > this.#holder);
      if (isOutdated) return;
      const isSuccessor = this.#locks && this.#timers.isSet("take") && term <= this.#term;
      if (!isSuccessor) this.#release();
      const isNew = tab !== this.#holder;
      this.#term = term;
      this.#holder = tab;
      this.#askLater();
      if (isNew) this.#announce();
      if (!state) return;
      Object.assign(this.#state, state);
      serverClock.add(ahead_ms);
      this.#listener.onState();
    }
    /** @param {{tab: string, event: SharedEvent}} message */
    #onEvent({ tab, event }) {
      if (this.#stream || tab !== this.#holder) return;
      this.#askLater();
      this.#state.apply(event);
      const known = event.type === "failure" ? [] : [...this.#state.data.keys()];
      for (const id of known) if (!event.sessions.includes(id)) this.#state.forget(id);
      this.#listener.onEvent(event);
    }
  };

  // src/hub.js
  function ofSessions(settings) {
    const state = new StreamState();
    return { state, openStream: (onEvent) => new SharedStream(settings, state, onEvent) };
  }
  var Hub = class _Hub {
    /** @type {Set<Hub>} */
    static #all = /* @__PURE__ */ new Set();
    /** @param {StreamSettings} settings @param {Kind} [kind] */
    static of(settings, kind = ofSessions) {
      return [..._Hub.#all].find((hub) => hub.hasSettings(settings)) ?? new _Hub(settings, kind);
    }
    #settings;
    /** @type {StreamState | ListState} */
    #state;
    #source;
    /** @type {Map<string, Set<SessionListener>>} */
    #listeners = /* @__PURE__ */ new Map();
    /** The browser has put the page away. */
    #isAway = false;
    #ending = new AbortController();
    /** @param {StreamSettings} settings @param {Kind} kind */
    constructor(settings, kind) {
      this.#settings = settings;
      const { state, openStream } = kind(settings);
      this.#state = state;
      const onEvent = (event) => this.#receive(event);
      const onState = () => {
        for (const [id, listeners] of this.#listeners) this.#catchUp(id, [...listeners]);
      };
      const openLimited = (onEvent2) => new LimitedStream(settings, openStream(onEvent2), onEvent2);
      this.#source = settings.isShared ? new TabCoordinator(settings, state, openLimited, { onEvent, onState }) : openStream(onEvent);
    }
    /** @param {StreamSettings} settings */
    hasSettings(settings) {
      const keys = (
        /** @type {(keyof StreamSettings)[]} */
        Object.keys(settings)
      );
      return keys.every((key) => this.#settings[key] === settings[key]);
    }
    /** @param {string} id @param {SessionListener} listener */
    follow(id, listener) {
      if (!this.#listeners.size) this.#begin();
      this.#listeners.set(id, (this.#listeners.get(id) ?? /* @__PURE__ */ new Set()).add(listener));
      queueMicrotask(() => this.#catchUp(id, [listener]));
      this.#request();
    }
    /** @param {string} id @param {SessionListener} listener */
    unfollow(id, listener) {
      const listeners = this.#listeners.get(id);
      listeners?.delete(listener);
      if (!listeners?.size) this.#listeners.delete(id);
      if (this.#listeners.size) this.#request();
      else this.#end();
    }
    /** A listener wants the log from now on, or no longer. */
    changeWanted() {
      if (this.#listeners.size) this.#request();
    }
    restart() {
      this.#source.restart();
    }
    /** More of a list is requested from now on; `extend` takes it. */
    beginExtending() {
      if ("extend" in this.#state) this.#state.beginExtending();
    }
    /** Adds what a request for more of a list has brought. @param {string} query @param {SessionList} list */
    extend(query, list) {
      if (!("extend" in this.#state)) return;
      this.#state.extend(query, list);
      this.#catchUp(query, [...this.#listeners.get(query) ?? []]);
    }
    #begin() {
      _Hub.#all.add(this);
      onPutAway({ leave: () => this.#leave(), comeBack: () => this.#comeBack() }, this.#ending.signal);
    }
    #end() {
      _Hub.#all.delete(this);
      this.#ending.abort();
      this.#source.close();
    }
    #leave() {
      this.#isAway = true;
      this.#source.close();
    }
    #comeBack() {
      const wasAway = this.#isAway;
      this.#isAway = false;
      if (wasAway) this.#request();
      else this.#source.retryNow();
    }
    #request() {
      if (this.#isAway) return;
      const hasLog = [...this.#listeners.values()].some((each) => [...each].some(({ wantsLog }) => wantsLog));
      this.#source.follow({ sessions: [...this.#listeners.keys()], hasLog });
    }
    /**
     * Hands over the data that is known already, if it is kept up to date.
     * @param {string} id
     * @param {SessionListener[]} listeners
     */
    #catchUp(id, listeners) {
      if (!this.#state.live.has(id)) return;
      for (const listener of listeners) this.#notify(id, listener, { data: this.#state.data.get(id) });
    }
    /**
     * The listener may be gone, or go after the first of the two calls.
     * @param {string} id
     * @param {SessionListener} listener
     * @param {Notification} notification
     */
    #notify(id, listener, { data, since_ms = 0, isChange = false, failure }) {
      if (!this.#isListening(id, listener)) return;
      if (failure) listener.onFailure(failure);
      else listener.onAlive();
      if (data && this.#isListening(id, listener)) listener.onData(data, since_ms, isChange);
    }
    /** @param {string} id @param {SessionListener} listener */
    #isListening(id, listener) {
      return this.#listeners.get(id)?.has(listener) ?? false;
    }
    /** @param {import("./log-follower.js").LogPage & {session_id: string}} page */
    #handOnLog(page) {
      for (const listener of [...this.#listeners.get(page.session_id) ?? []]) {
        if (listener.wantsLog) listener.onLog?.(page);
      }
    }
    /** @param {SharedEvent} event */
    #receive(event) {
      if (event.type === "heartbeat") serverClock.add(Date.parse(event.data.now) - Date.now());
      if (event.type === "log") this.#handOnLog(event.data);
      const changed = this.#state.changed(event);
      const isCaughtUp = event.type === "heartbeat" && !event.isFirst;
      const since_ms = event.type === "snapshot" && event.since_ms || 0;
      for (const id of event.sessions) {
        const data = id === changed || isCaughtUp ? this.#state.data.get(id) : void 0;
        const notification = { data, since_ms, isChange: isFolded(event.type), failure: event.failure };
        for (const listener of [...this.#listeners.get(id) ?? []]) this.#notify(id, listener, notification);
      }
    }
  };

  // src/list-page.js
  function queryOf({ prefix = "", labels = {}, status }) {
    const query = new URLSearchParams({ prefix });
    for (const [key, value] of Object.entries(labels).sort()) query.append("label", `${key}:${value}`);
    for (const each of [status || []].flat().sort()) query.append("status", each);
    return query.toString();
  }
  function listOf({ sessions, next }) {
    return { sessions, more: next !== null };
  }

  // src/list-state.js
  var MAX_LISTED = 1e3;
  var ListState = class {
    /** By query. @type {Map<string, SessionList>} */
    data = /* @__PURE__ */ new Map();
    /** Events of lists have no ids. */
    position = "";
    /** The queries whose stream works. @type {Set<string>} */
    live = /* @__PURE__ */ new Set();
    /** The events since `beginExtending`: what is requested meanwhile may be older. @type {Map<string, "session" | "removed">} */
    #since = /* @__PURE__ */ new Map();
    /** @param {SharedEvent} event */
    apply(event) {
      for (const query2 of event.sessions) {
        if (event.failure) this.live.delete(query2);
        else this.live.add(query2);
      }
      const query = this.changed(event);
      if (query !== void 0) this.#change(query, event);
    }
    /** The query whose list an event changes. @param {SharedEvent} event @returns {string | undefined} */
    changed({ type, sessions }) {
      return ["list", "session", "removed"].includes(type) ? sessions[0] : void 0;
    }
    /** @param {string} query @param {SharedEvent} event */
    #change(query, { type, data }) {
      if (type === "list") {
        this.data.set(query, keptList({ sessions: data.sessions, more: data.more }, this.data.get(query)));
        return;
      }
      const list = this.data.get(query);
      if (!list) return;
      if (type === "removed") {
        this.#since.set(data.session_id, "removed");
        this.data.set(query, without(list, data.session_id));
      } else {
        this.#since.set(data.session.session_id, "session");
        this.data.set(query, withSession(list, data.session));
      }
    }
    /** More sessions are requested from now on. */
    beginExtending() {
      this.#since.clear();
    }
    /**
     * Takes what a request for more sessions brought, apart from those of which events have said more since it began. The
     * stream does not tell the end of an old session that it has never told.
     * @param {string} query
     * @param {SessionList} answer
     */
    extend(query, { sessions, more }) {
      const list = this.data.get(query);
      if (!list) return;
      const told = list.sessions.filter(({ session_id }) => this.#since.get(session_id) === "session");
      const others = sessions.filter(({ session_id }) => !this.#since.has(session_id));
      const merged = [...told, ...others].sort(byAge);
      this.data.set(query, keptList(limited({ sessions: merged, more }), list));
    }
    /** @param {string} query */
    forget(query) {
      this.data.delete(query);
      this.live.delete(query);
    }
  };
  function without({ sessions, more }, id) {
    return { sessions: sessions.filter(({ session_id }) => session_id !== id), more };
  }
  function withSession({ sessions, more }, changed) {
    const index = sessions.findIndex(({ session_id }) => session_id === changed.session_id);
    if (index >= 0 && sessions[index]?.created_at === changed.created_at) {
      return { sessions: sessions.map((each, place2) => place2 === index ? changed : each), more };
    }
    const others = sessions.filter((_, place2) => place2 !== index);
    const older = others.findIndex((other) => byAge(changed, other) < 0);
    const place = older < 0 ? others.length : older;
    return limited({ sessions: [...others.slice(0, place), changed, ...others.slice(place)], more });
  }
  function keptList(list, before) {
    if (!before) return list;
    const known = new Map(before.sessions.map((session) => [JSON.stringify(session), session]));
    const sessions = list.sessions.map((session) => known.get(JSON.stringify(session)) ?? session);
    const isSame = list.more === before.more && sessions.length === before.sessions.length;
    return isSame && sessions.every((session, index) => session === before.sessions[index]) ? before : { sessions, more: list.more };
  }
  function byAge(a, b) {
    const [left, right] = [a.created_at + a.session_id, b.created_at + b.session_id];
    return left < right ? 1 : left > right ? -1 : 0;
  }
  function limited({ sessions, more }) {
    return { sessions: sessions.slice(0, MAX_LISTED), more: more || sessions.length > MAX_LISTED };
  }

  // src/list-stream.js
  var ListStream = class {
    #settings;
    #state;
    #onEvent;
    /** @type {Stream | null} */
    #stream = null;
    /**
     * @param {StreamSettings} settings
     * @param {ListState} state Kept up to date.
     * @param {(event: SharedEvent) => void} onEvent
     */
    constructor(settings, state, onEvent) {
      this.#settings = settings;
      this.#state = state;
      this.#onEvent = onEvent;
    }
    /** @param {import("./types.js").Wanted} wanted The settings' own query while the list is wanted, and none afterwards. */
    follow({ sessions: [query] }) {
      if (query === void 0) {
        this.close();
      } else if (!this.#stream) {
        const url = () => `${this.#settings.baseUrl}/api/events?${query}&heartbeat=event`;
        this.#stream = new Stream(this.#settings, url, "", (event) => this.#publish({ ...event, sessions: [query] }));
        this.#stream.open();
      }
    }
    /** Ends the wait of a stream that waits before it connects again. */
    retryNow() {
      if (this.#stream?.isWaiting) this.#stream.open();
    }
    restart() {
      this.#stream?.restart();
    }
    close() {
      this.#stream?.close();
      this.#stream = null;
      this.#state.live.clear();
    }
    /** @param {SharedEvent} event */
    #publish(event) {
      this.#state.apply(event);
      this.#onEvent(event);
    }
  };

  // src/poller.js
  var DEADLINE_MS = 5e3;
  var DEADLINE_MAX_MS = 3e4;
  var JITTER = 0.1;
  var RETRY_AFTER_MAX_MS = 3e5;
  var Poller = class {
    #timers;
    #url;
    #array;
    #fetch;
    #token;
    #withCredentials;
    #poll;
    #interval_ms;
    /** @type {AbortController | null} */
    #running = null;
    /** A poll was due while the server's `Retry-After` had not passed. */
    #isOverdue = false;
    /** How many polls in a row were not answered in time: the next one may take longer. */
    #hung = 0;
    /**
     * @param {object} setup
     * @param {() => string} setup.url
     * @param {"steps" | "sessions"} setup.array The name of the array that an answer has.
     * @param {typeof globalThis.fetch} setup.fetch
     * @param {boolean} setup.withCredentials
     * @param {import("../lib/wire.js").Timers} setup.timers
     * @param {Token | undefined} setup.token
     * @param {object} schedule
     * @param {(signal: AbortSignal) => Promise<unknown>} schedule.poll Called for each poll.
     * @param {() => number} schedule.interval_ms
     */
    constructor({ url, array, fetch, withCredentials, timers, token }, { poll, interval_ms }) {
      this.#url = url;
      this.#array = array;
      this.#fetch = fetch;
      this.#token = token;
      this.#withCredentials = withCredentials;
      this.#timers = new Timers(timers);
      this.#poll = poll;
      this.#interval_ms = interval_ms;
    }
    get isRunning() {
      return this.#running !== null;
    }
    /** The server's `Retry-After` has not passed yet. */
    get isHeldOff() {
      return this.#timers.isSet("held off");
    }
    /**
     * Polls now and then at intervals until stopped. Does nothing while it already runs.
     * @param {boolean} isAnswered Another poll has just been answered: the first one waits for its turn.
     */
    start(isAnswered) {
      if (this.#running) return;
      this.#running = new AbortController();
      if (isAnswered) this.#schedule(this.#running.signal);
      else void this.#pollInTurn(this.#running.signal);
    }
    /** Polls now, unless a poll is under way or the server has asked for a pause. */
    pollNow() {
      if (!this.#running || this.isHeldOff || !this.#timers.isSet("turn")) return;
      this.#timers.clear("turn");
      void this.#pollInTurn(this.#running.signal);
    }
    stop() {
      this.#timers.clear("turn");
      this.#isOverdue = false;
      this.#running?.abort();
      this.#running = null;
    }
    /** Stops, and forgets the server's `Retry-After`. */
    close() {
      this.stop();
      this.#timers.clearAll();
    }
    /** @param {AbortSignal} signal */
    async #pollInTurn(signal) {
      this.#isOverdue = this.isHeldOff;
      if (this.#isOverdue) return;
      await this.#poll(signal);
      if (!signal.aborted) this.#schedule(signal);
    }
    /** @param {AbortSignal} signal */
    #schedule(signal) {
      const jitter = 1 + JITTER * (2 * Math.random() - 1);
      this.#timers.set("turn", this.#interval_ms() * jitter, () => void this.#pollInTurn(signal));
    }
    /** @param {Response} response */
    #holdOff(response) {
      const wait_ms = retryAfter_ms(response);
      if (!wait_ms) return;
      this.#timers.set("held off", wait_ms, () => {
        if (this.#running && this.#isOverdue) void this.#pollInTurn(this.#running.signal);
      });
    }
    /**
     * @param {string} etag Of the state that is known already, or "".
     * @param {AbortSignal} signal
     * @returns {Promise<Answered | NoData>} Never rejects.
     */
    async request(etag, signal) {
      const request = new AbortController();
      const abort = () => {
        this.#timers.clear(request);
        request.abort();
      };
      signal.addEventListener("abort", abort);
      this.#timers.set(request, Math.min(DEADLINE_MAX_MS, DEADLINE_MS * 2 ** this.#hung), abort);
      try {
        const answer = await this.#read(await this.#send(etag, request.signal));
        this.#hung = 0;
        return answer;
      } catch (error) {
        this.#hung = request.signal.aborted && !signal.aborted ? this.#hung + 1 : 0;
        return { outcome: error instanceof URIError ? "rejected" : "failed" };
      } finally {
        signal.removeEventListener("abort", abort);
        this.#timers.clear(request);
      }
    }
    /**
     * @param {string} etag
     * @param {AbortSignal} signal
     */
    #send(etag, signal) {
      const init = {
        headers: { Accept: "application/json", ...etag && { "If-None-Match": etag } },
        credentials: this.#withCredentials ? "include" : "same-origin",
        // On another origin scripts do not see the ETag; the browser's cache still revalidates by itself.
        cache: "no-cache",
        signal
      };
      const fetch = this.#fetch;
      return this.#token === void 0 ? fetch(this.#url(), init) : fetchWithToken(this.#token, fetch, this.#url(), init);
    }
    /**
     * @param {Response} response
     * @returns {Promise<Answered | NoData>}
     */
    async #read(response) {
      this.#holdOff(response);
      serverClock.add(Date.parse(response.headers.get("Date") ?? "") - Date.now());
      if (response.status === 304) return { outcome: "unchanged" };
      if (response.status === 401 || response.status === 403) return { outcome: "denied" };
      if ([400, 404, 422].includes(response.status)) return { outcome: "rejected" };
      const data = response.status === 200 ? await response.json() : null;
      if (!Array.isArray(data?.[this.#array])) return { outcome: "failed" };
      return { outcome: "answered", data, etag: response.headers.get("ETag") ?? "" };
    }
  };
  function retryAfter_ms(response) {
    const value = response.headers.get("Retry-After") ?? "";
    const delay_ms = /^\d+$/.test(value) ? Number(value) * 1e3 : Date.parse(value) - Date.now();
    return delay_ms > 0 ? Math.min(delay_ms, RETRY_AFTER_MAX_MS) : 0;
  }

  // src/log-follower.js
  var PAGE_LINES = 1e3;
  var RETRY_MS = 2e3;
  var LogFollower = class {
    #load;
    #onLines;
    #timers;
    #life = "";
    /** The number of the newest line that was handed on. */
    #last = 0;
    #isLoading = false;
    /** Something came while lines were being loaded. */
    #isBehind = false;
    #isStopped = false;
    /** Ends the request that is under way. */
    #loading = new AbortController();
    /**
     * @param {object} setup
     * @param {(after: number, signal: AbortSignal) => Promise<LogPage>} setup.load Rejects if the server refuses, or does
     *   not answer; as a `RequestError` does, with the status of the answer.
     * @param {(update: LogUpdate) => void} setup.onLines
     * @param {import("../lib/wire.js").Timers} setup.timers
     */
    constructor({ load, onLines, timers }) {
      this.#load = load;
      this.#onLines = onLines;
      this.#timers = new Timers(timers);
    }
    stop() {
      this.#isStopped = true;
      this.pause();
    }
    /** Loads nothing more before the next `sync`. */
    pause() {
      this.#loading.abort();
      this.#timers.clearAll();
    }
    /** The session has no log, or no longer has it. */
    forget() {
      if (!this.#life) return;
      this.#life = "";
      this.#last = 0;
      this.#notify({ life: "", isNew: true, lines: [], missed: 0 });
    }
    /** @param {LogPage} page From a stream. */
    add(page) {
      const { life, lines, first } = page;
      const [next] = lines.filter(({ n }) => n > this.#last);
      const follows = next !== void 0 && (next.n === this.#last + 1 || next.n === first);
      if (life !== this.#life || this.#isLoading || next && !follows) void this.sync();
      else this.#handOn(page);
    }
    /** Loads what may be missing. Never rejects. */
    async sync() {
      this.#isBehind = true;
      if (this.#isLoading || this.#isStopped) return;
      this.#isLoading = true;
      this.#timers.clear("again");
      this.#loading = new AbortController();
      const { signal } = this.#loading;
      try {
        while (this.#isBehind && !signal.aborted) {
          this.#isBehind = false;
          this.#take(await this.#load(this.#last, signal), signal);
        }
      } catch (error) {
        if (!signal.aborted && !isRefusal(error)) this.#timers.set("again", RETRY_MS, () => void this.sync());
      } finally {
        this.#isLoading = false;
      }
    }
    /** @param {LogPage} page As it was loaded. @param {AbortSignal} signal */
    #take(page, signal) {
      if (signal.aborted) return;
      const isOther = page.life !== this.#life;
      if (isOther && this.#last > 0) {
        this.#begin(page.life);
        this.#isBehind = true;
        return;
      }
      if (isOther) this.#begin(page.life);
      this.#handOn(page);
      if (page.lines.length >= PAGE_LINES) this.#isBehind = true;
    }
    /** @param {string} life */
    #begin(life) {
      this.#life = life;
      this.#last = 0;
      this.#notify({ life, isNew: true, lines: [], missed: 0 });
    }
    /** @param {LogPage} page */
    #handOn({ life, lines }) {
      const added = lines.filter(({ n }) => n > this.#last);
      const [next] = added;
      if (!next) return;
      const missed = next.n - this.#last - 1;
      this.#last = added.at(-1)?.n ?? this.#last;
      this.#notify({ life, isNew: false, lines: added, missed });
    }
    /** An error of the page must neither end the stream nor let lines be loaded again. @param {LogUpdate} update */
    #notify(update) {
      try {
        this.#onLines(update);
      } catch (error) {
        console.error(error);
      }
    }
  };
  function isRefusal(error) {
    const { status = 0 } = (
      /** @type {{status?: number}} */
      error
    );
    return status >= 400 && status < 500 && status !== 429;
  }

  // src/log-followers.js
  var LogFollowers = class {
    /** @type {Set<LogFollower>} */
    #all = /* @__PURE__ */ new Set();
    #load;
    #timers;
    #onWanted;
    /**
     * @param {object} setup
     * @param {(after: number, signal: AbortSignal) => Promise<LogPage>} setup.load As for a LogFollower.
     * @param {import("../lib/wire.js").Timers} setup.timers
     * @param {(isWanted: boolean) => void} setup.onWanted The first one has come, or the last one has gone.
     */
    constructor({ load, timers, onWanted }) {
      this.#load = load;
      this.#timers = timers;
      this.#onWanted = onWanted;
    }
    /**
     * @param {(update: import("../lib/wire.js").LogUpdate) => void} onLines
     * @param {AbortSignal | undefined} signal Ends it.
     * @param {boolean} hasLog Whether there are lines already.
     */
    follow(onLines, signal, hasLog) {
      if (signal?.aborted) return;
      const log = new LogFollower({ load: this.#load, onLines, timers: this.#timers });
      this.#all.add(log);
      if (this.#all.size === 1) this.#onWanted(true);
      signal?.addEventListener("abort", () => {
        log.stop();
        this.#all.delete(log);
        if (!this.#all.size) this.#onWanted(false);
      });
      if (hasLog) void log.sync();
    }
    /** @param {LogPage} page From a stream. */
    add(page) {
      for (const log of this.#all) log.add(page);
    }
    /** Lines may have come. */
    sync() {
      for (const log of this.#all) void log.sync();
    }
    /** The session has no log, or no longer has it. */
    forget() {
      for (const log of this.#all) log.forget();
    }
    /** Nothing is loaded before the next `sync`. */
    pause() {
      for (const log of this.#all) log.pause();
    }
  };

  // src/poll-order.js
  var REPLACED_STATES = 10;
  var PollOrder = class {
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
      const isNewer = since_ms > this.#changed_ms || since_ms > 0 && this.#changed_ms > Date.now();
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
  };

  // src/session-api.js
  var DEADLINE_MS2 = 1e4;
  var PAUSES_MS = [500, 1500, 4e3];
  var RETRY_AFTER_MAX_MS2 = 1e4;
  var RequestError = class extends Error {
    /** @override */
    name = "RequestError";
    /** @param {Answer} answer */
    constructor({ status, body }) {
      super(status ? `the server answered ${status}: ${body?.detail ?? ""}` : "the server did not answer");
      this.status = status;
      this.type = String(body?.type ?? "");
    }
  };
  var SessionApi = class {
    #url;
    #baseUrl;
    #fetch;
    #token;
    #withCredentials;
    #timers;
    /**
     * @param {object} setup
     * @param {() => string} setup.url Of the session.
     * @param {string} setup.baseUrl
     * @param {typeof globalThis.fetch} setup.fetch
     * @param {boolean} setup.withCredentials
     * @param {import("../lib/wire.js").Timers} setup.timers
     * @param {Token | undefined} setup.token
     */
    constructor({ url, baseUrl, fetch, withCredentials, timers, token }) {
      this.#url = url;
      this.#baseUrl = baseUrl;
      this.#fetch = fetch;
      this.#token = token;
      this.#withCredentials = withCredentials;
      this.#timers = new Timers(timers);
    }
    /** Whether this reader may ask: `Allow` names the methods that are open to it. @param {AbortSignal} [signal] */
    mayAsk(signal) {
      const methods = ({ ok, headers }) => ok && /\bPOST\b/.test(headers.get("Allow") ?? "");
      return this.#send(`${this.#url()}/requests`, { method: "HEAD" }, signal, async (response) => methods(response));
    }
    /**
     * @param {RequestKind} kind
     * @param {RequestOptions} options
     * @returns {Promise<SessionRequest>}
     */
    async ask(kind, { step, reason, signal }) {
      const init = {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": randomKey() },
        body: JSON.stringify({ kind, step, reason })
      };
      for (let sent = 1; ; sent++) {
        const answer = await this.#request(`${this.#url()}/requests`, init, signal);
        if (typeof answer.body?.id === "string") return answer.body;
        const pause_ms = PAUSES_MS[sent - 1];
        if (pause_ms === void 0 || !isTransient(answer)) throw new RequestError(answer);
        await this.#pause(Math.max(pause_ms, answer.retryAfter_ms), signal);
      }
    }
    /**
     * @param {number} step
     * @param {AbortSignal} [signal]
     * @returns {Promise<Part[]>}
     */
    async parts(step, signal) {
      const answer = await this.#request(`${this.#url()}/parts?step=${step}`, {}, signal);
      if (!Array.isArray(answer.body?.parts)) throw new RequestError(answer);
      return answer.body.parts;
    }
    /** Of the session. @param {AbortSignal} [signal] */
    steps(signal) {
      return this.#definitions(`${this.#url()}/steps`, signal);
    }
    /** The server's own steps. @param {AbortSignal} [signal] */
    serverSteps(signal) {
      return this.#definitions(`${this.#baseUrl}/api/steps`, signal);
    }
    /**
     * @param {number} after The number of the newest known line.
     * @param {AbortSignal} [signal]
     * @returns {Promise<import("./log-follower.js").LogPage>}
     */
    async log(after, signal) {
      const answer = await this.#request(`${this.#url()}/log?after=${after}&limit=${PAGE_LINES}`, {}, signal);
      if (!Array.isArray(answer.body?.lines)) throw new RequestError(answer);
      return answer.body;
    }
    /**
     * @param {string} url
     * @param {AbortSignal} [signal]
     * @returns {Promise<StepDefinition[]>}
     */
    async #definitions(url, signal) {
      const answer = await this.#request(url, {}, signal);
      if (!Array.isArray(answer.body?.steps)) throw new RequestError(answer);
      return answer.body.steps;
    }
    /**
     * Rejects only when `signal` is aborted.
     * @param {string} url
     * @param {RequestInit} init
     * @param {AbortSignal} [signal]
     * @returns {Promise<Answer>}
     */
    #request(url, init, signal) {
      return this.#send(url, init, signal, answerOf).catch((error) => {
        if (signal?.aborted) throw error;
        return { status: 0, body: null, retryAfter_ms: 0 };
      });
    }
    /**
     * @template Result
     * @param {string} url
     * @param {RequestInit} init
     * @param {AbortSignal | undefined} signal
     * @param {(response: Response) => Promise<Result>} read
     * @returns {Promise<Result>}
     */
    async #send(url, init, signal, read) {
      signal?.throwIfAborted();
      const request = new AbortController();
      const abort = () => request.abort();
      signal?.addEventListener("abort", abort);
      this.#timers.set(request, DEADLINE_MS2, abort);
      try {
        const credentials = (
          /** @type {RequestCredentials} */
          this.#withCredentials ? "include" : "same-origin"
        );
        const whole = { ...init, credentials, cache: (
          /** @type {const} */
          "no-store"
        ), signal: request.signal };
        const fetch = this.#fetch;
        return await read(
          await (this.#token === void 0 ? fetch(url, whole) : fetchWithToken(this.#token, fetch, url, whole))
        );
      } finally {
        signal?.removeEventListener("abort", abort);
        this.#timers.clear(request);
      }
    }
    /** @param {number} ms @param {AbortSignal} [signal] */
    #pause(ms, signal) {
      return new Promise((resolve, reject) => {
        const pause = {};
        const abort = () => {
          this.#timers.clear(pause);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        this.#timers.set(pause, ms, () => {
          signal?.removeEventListener("abort", abort);
          resolve(void 0);
        });
      });
    }
  };
  async function answerOf(response) {
    const { status, headers } = response;
    const body = await response.json().catch(() => null);
    return { status, body, retryAfter_ms: Number(headers.get("Retry-After")) * 1e3 || 0 };
  }
  function isTransient({ status, retryAfter_ms: retryAfter_ms2 }) {
    if (retryAfter_ms2 > RETRY_AFTER_MAX_MS2) return false;
    return retryAfter_ms2 > 0 || status === 0 || status === 429 || status >= 500;
  }
  function randomKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // src/progress-tracker.js
  var DEFAULT_INTERVAL_MS = 2e3;
  var ProgressTracker = class _ProgressTracker extends EventTarget {
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
      wantsLog: false
    };
    #logs;
    /** Aborted when the tracker stops; each run has its own. */
    #stopping = new AbortController();
    #firstUpdate = Promise.resolve();
    #settleFirstUpdate = () => {
    };
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
        timers = globalThis
      } = options;
      const baseUrl = absoluteUrl(options.baseUrl ?? _ProgressTracker.baseUrl);
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
      const url = () => `${baseUrl}/api/progress/${encodeURIComponent(this.sessionId)}`;
      const access = { url, baseUrl, fetch: byLink ? fetchByLink(fetch) : fetch, withCredentials, timers, token };
      this.#api = new SessionApi(access);
      const load = this.#api.log.bind(this.#api);
      this.#logs = new LogFollowers({ load, timers, onWanted: (isWanted) => this.#wantLog(isWanted) });
      const polled = { ...access, array: (
        /** @type {const} */
        "steps"
      ) };
      this.#poller = new Poller(polled, {
        poll: (stopped) => this.#pollInTurn(stopped),
        interval_ms: () => this.#interval_ms
      });
      if (!EventSource && transport === "sse") throw new TypeError("transport 'sse' needs an EventSource");
      const isShared = options.EventSource === void 0 && hasChannels();
      this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
      if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
        const ticketFetch = token === void 0 ? browserFetch : fetch;
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
          fetch: ticketFetch
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
      else if (token === void 0) this.#followBy(this.#settings);
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
      if (isHopeless || !this.#data) this.#startPolling();
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
  };
  function copyOf(data) {
    return JSON.parse(JSON.stringify(data));
  }

  // src/progress-list-tracker.js
  var DEFAULT_INTERVAL_MS2 = 3e3;
  var EXTENDED_EVERY_MS = 3e4;
  var FIRST_LISTED = 100;
  function ofList(settings) {
    const state = new ListState();
    return { state, openStream: (onEvent) => new ListStream(settings, state, onEvent) };
  }
  var ProgressListTracker = class extends EventTarget {
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
      onFailure: (failure) => this.#onFailure(failure)
    };
    /** @param {ListTrackerOptions} [options] */
    constructor(options = {}) {
      super();
      const {
        interval = DEFAULT_INTERVAL_MS2,
        transport = "auto",
        withCredentials = false,
        onUpdate,
        token,
        signal,
        EventSource = globalThis.EventSource,
        fetch = browserFetch,
        timers = globalThis
      } = options;
      const baseUrl = absoluteUrl(options.baseUrl ?? ProgressTracker.baseUrl);
      this.#onUpdate = onUpdate;
      this.#signal = signal;
      this.#timers = new Timers(timers);
      this.#query = queryOf(options);
      this.#mayPoll = transport !== "sse";
      const url = () => `${baseUrl}/api/progress?${this.#query}&limit=${this.#limit}`;
      const access = { url, array: (
        /** @type {const} */
        "sessions"
      ), fetch, withCredentials, timers, token };
      this.#poller = new Poller(access, {
        poll: (stopped) => this.#pollInTurn(stopped),
        interval_ms: () => interval > 0 ? interval : DEFAULT_INTERVAL_MS2
      });
      const isShared = options.EventSource === void 0 && hasChannels();
      this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
      if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
        const ticketFetch = token === void 0 ? browserFetch : fetch;
        const access2 = { baseUrl, EventSource, withCredentials, timers, token, fetch: ticketFetch };
        this.#settings = { ...access2, isShared, rights: "", isByLink: false, query: this.#query };
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
      const rights = token === void 0 ? "" : await tokenText(token).then(rightsOf, () => null);
      if (signal.aborted) return;
      const isShared = settings.isShared && rights !== null;
      if (!isShared && !this.#mayStreamAlone) {
        this.#poller.start(false);
        return;
      }
      this.#hub = Hub.of({ ...settings, isShared, rights: rights ?? "" }, ofList);
      this.#hub.follow(this.#query, this.#listener);
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
      return sessions.length < this.#data.sessions.length - 1 || more && !this.#data.more;
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
  };

  // src/main.js
  globalThis.ProgressTracker = ProgressTracker;
  globalThis.ProgressListTracker = ProgressListTracker;
  globalThis.checkTimeout = checkTimeout;
})();
