/*
 * ProgressTracker: follows one session of a progress server, by its live stream where that works and by polling
 * where it does not. Load it plainly, <script src="/web/tracker.js"></script>, or import it through index.js.
 *
 * From the wire to the page, each part knowing only those above it:
 *   fetchAs  asks with a token, where one is needed;
 *   Stream   keeps one EventSource going;
 *   Picture  what a stream has told of its sessions;
 *   Feed     brings news of the sessions that are wanted by one stream;
 *   Tabs     does the same once for all tabs of a browser: one of them has the Feed, the others listen to it;
 *   Hub      what the trackers of a page have in common: Tabs, or a Feed alone where these cannot be shared;
 *   Poller   asks at intervals, and knows nothing of all that;
 *   ProgressTracker  decides which way is needed, never goes back, and tells the page.
 * Nothing is drawn in here, and nothing needs a window or a document. No imports or exports: this file has to run as a
 * plain script. The outer block, together with strict mode, keeps its names off the page.
 */
"use strict";
{
  /**
   * @typedef {import("./wire.js").Progress} Progress
   * @typedef {import("./wire.js").StepEvent} StepEvent
   * @typedef {import("./wire.js").TrackerState} TrackerState
   * @typedef {import("./wire.js").TrackerOptions} TrackerOptions
   * @typedef {import("./wire.js").EventSourceLike} EventSourceLike
   * @typedef {NonNullable<TrackerOptions["token"]>} Token
   * @typedef {NonNullable<TrackerOptions["EventSource"]>} EventSourceClass
   */

  const DEFAULT_INTERVAL_MS = 2000;
  /** The server's first heartbeat comes at once; silence for this long means that something in between holds it back. */
  const QUIET_MS = 5000;
  /** A stream that never said anything is not worth waiting longer for. */
  const NEVER_HEARD_MS = 15_000;
  const HEARTBEAT_MS = 15_000;
  const HEARTBEATS_MISSED = 3;
  /** By that much a network may delay a heartbeat; what is later was held back, and so may be all the rest. */
  const LATE_MS = 5000;
  const FAILURES_BEFORE_POLLING = 3;
  const BACKOFF_MIN_MS = 1000;
  const BACKOFF_MAX_MS = 30_000;
  /** At least this long the browser is left to reconnect by itself: a server that is full asks for half a minute. */
  const RECONNECT_MS = 45_000;
  /** A browser keeps several connections, and tries one dead one after the other; a slow network needs more time. */
  const POLL_DEADLINE_MS = 5000;
  const POLL_DEADLINE_MAX_MS = 30_000;
  const POLL_JITTER = 0.1;
  /** A longer `Retry-After`, of a page that announces maintenance, is not believed: it may be over sooner. */
  const RETRY_AFTER_MAX_MS = 300_000;
  /**
   * The server's `max_sessions_per_stream`. Sessions beyond that are polled, rather than that there be a second stream:
   * HTTP/1.1 allows six connections to an origin.
   */
  const SESSIONS_PER_STREAM = 20;
  /** Trackers tend to come several at a time. */
  const GATHER_MS = 50;
  /** A stream that is behind what a poll has brought must catch up within this time. */
  const CATCH_UP_MS = 5000;
  const STATES_PASSED = 10;
  /** Tabs without Web Locks: how long to ask around before taking the stream. */
  const ELECTION_MS = 200;
  const HANDOVER_MS = 100;
  /** Silence after which a tab asks whether the holder is still there, how long it waits, and how often in vain. */
  const PING_MS = 3000;
  const ANSWER_MS = 1500;
  const ANSWERS_MISSED = 1;
  /** Browsers let a tab in the background act once a minute. */
  const ENROL_MS = 60_000;
  const ENROLLED_MS = 200_000;
  /** setTimeout takes a longer delay for none at all. */
  const TIMER_MAX_MS = 2 ** 31 - 1;
  const CLOCK_SAMPLES = 5;
  /** No heartbeat is delayed by that much: a clock was set. */
  const CLOCK_SET_MS = 60_000;
  /** Those of EventSource; an injected class need not have the constants. */
  const OPEN = 1;
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
    isArmed(name) {
      return this.#armed.has(name);
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

  /** How far the server's clock is ahead of this machine's: step times are the server's. */
  class ServerClock {
    /** @type {number[]} */
    #samples = [];

    /** What is late makes the server look slow, so that the largest of a few samples is the truest. */
    get ahead_ms() {
      return this.best_ms || 0;
    }

    /** Not a number while nothing is known. */
    get best_ms() {
      return this.#samples.length ? Math.max(...this.#samples) : NaN;
    }

    /** @param {number} sample_ms As for `hear`. Whether what was heard had been held back. */
    isLate(sample_ms) {
      return this.best_ms - sample_ms > LATE_MS && this.isNear(sample_ms);
    }

    /** @param {number} sample_ms As for `hear`. Whether it is by a clock that is known. */
    isNear(sample_ms) {
      return Math.abs(this.best_ms - sample_ms) <= CLOCK_SET_MS;
    }

    /** @param {number} sample_ms The server's time when it spoke, less the time here when that was heard. */
    hear(sample_ms) {
      if (Number.isNaN(sample_ms)) return;
      if (this.ahead_ms - sample_ms > CLOCK_SET_MS) this.#samples = [];
      this.#samples = [...this.#samples, sample_ms].slice(-CLOCK_SAMPLES);
    }
  }

  const serverClock = new ServerClock();

  // A browser's fetch insists on its own `this`.
  /** @type {typeof globalThis.fetch} */
  const browserFetch = (...request) => globalThis.fetch(...request);

  /** The token that each function gave last, and is used until it is refused. @type {WeakMap<object, Promise<string>>} */
  const given = new WeakMap();

  /** @param {Token} token @returns {Promise<string>} */
  function textOf(token) {
    if (typeof token === "string") return Promise.resolve(token);
    const before = given.get(token);
    if (before) return before;
    const text = Promise.resolve().then(token);
    given.set(token, text);
    text.catch(() => forget(token, text));
    return text;
  }

  /** The function is asked again next time, unless that is done already. @param {Token} token @param {Promise<string>} text */
  function forget(token, text) {
    if (typeof token !== "string" && given.get(token) === text) given.delete(token);
  }

  /**
   * @param {Promise<string>} text
   * @param {AbortSignal} signal
   * @returns {Promise<string>}
   */
  function unlessAborted(text, signal) {
    return new Promise((resolve, reject) => {
      text.then(resolve, reject);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }

  /**
   * Fetches as the bearer of a token. Where that is refused with 401, a function is asked for another one, once.
   * @param {Token} token
   * @param {typeof globalThis.fetch} fetch
   * @param {string} url
   * @param {RequestInit & {signal: AbortSignal}} init
   */
  async function fetchAs(token, fetch, url, init) {
    const ask = async () => {
      const text = textOf(token);
      const bearer = await unlessAborted(text, init.signal).catch((error) => {
        forget(token, text); // It may never come.
        throw error;
      });
      const headers = { ...init.headers, ...(bearer && { Authorization: `Bearer ${bearer}` }) };
      const answer = await fetch(url, { ...init, headers });
      if (answer.status === 401) forget(token, text);
      return answer;
    };
    const answer = await ask();
    return answer.status === 401 && typeof token !== "string" ? ask() : answer;
  }

  const TIMES = ["exp", "iat", "nbf", "jti"];

  /**
   * What a token grants, whenever it was made: its claims but for the times [RFC 7519 §4.1]. Null where it is none that
   * can be read.
   * @param {string} text
   */
  function rightsIn(text) {
    try {
      const [, payload = ""] = text.split(".");
      const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
      return JSON.stringify(
        Object.entries(claims)
          .filter(([name]) => !TIMES.includes(name))
          .sort(),
      );
    } catch {
      return null;
    }
  }

  /**
   * Where streams come from, and by what means. `isShared`: all tabs of the browser may use them together. With a token
   * only those may whose tokens have the same `rights`: then none of them is told what its own does not name. No token, and
   * no ticket, ever leaves its tab.
   * @typedef {object} Server
   * @property {string} baseUrl
   * @property {EventSourceClass} EventSource
   * @property {boolean} withCredentials
   * @property {import("./wire.js").Timers} timers
   * @property {boolean} isShared
   * @property {Token | undefined} token
   * @property {string} rights As `rightsIn` reads them; "" without a token.
   * @property {typeof globalThis.fetch} fetch Gets tickets for a token; without one no matter.
   *
   * `isHopeless`: the stream may come back, but pages should not wait for it. `isRefused`: by an answer but 200.
   * @typedef {{isHopeless: boolean, isRefused: boolean}} Failure
   *
   * What came by a stream: an event, or word that it failed, or both: an event that was held back.
   * @typedef {object} Word
   * @property {"snapshot" | "step" | "heartbeat" | "end" | "failure"} type
   * @property {any} [data] Of the event.
   * @property {Failure | undefined} [failure]
   * @property {string} [position] The id to go on from.
   * @property {boolean} [isGreeting] It is the first of its connection; what was missed may follow.
   * @property {number} [since_ms] The event tells of the server as it was then or later, by the clock of all tabs.
   *
   * A word with all the sessions that share the stream. It is handed on to other tabs, and so is plain data.
   * @typedef {Word & {sessions: string[]}} News
   */

  /** @type {Failure} */
  const HOPELESS = { isHopeless: true, isRefused: false };

  /**
   * Keeps one EventSource going. The browser reconnects by itself after most failures, at the pace the server asked for;
   * only what it gives up (readyState CLOSED: any answer but 200), does not notice (silence), or tries twice within a second
   * is replaced from here. With a token each connection has a ticket of its own, that the browser can use but once: it waits
   * for as long as the server asked, comes back in vain, and is then sent with another.
   */
  class Stream {
    #alarms;
    #onWord;
    #url;
    #server;
    /** While a ticket is asked for. @type {AbortController | null} */
    #asking = null;
    /** @type {EventSourceLike | null} */
    #source = null;
    /** The browser has the connection's ticket, and has used it perhaps. */
    #isSpent = false;
    /** The id of the last event applied: where a new connection goes on. "" asks for a snapshot. */
    #position;
    #failures = 0;
    /** As in a word: when the connection began, or its last heartbeat was sent. */
    #since_ms = 0;
    #interval_ms = HEARTBEAT_MS;
    /** As this stream's heartbeats tell it, and polls before the first. */
    #clock = new ServerClock();
    /** Something holds back what the connection brings. */
    #isLate = false;
    /** The connection has said something. */
    #isGreeted = false;
    /** It has opened, and said nothing yet. */
    #isMute = false;

    /**
     * @param {Server} server
     * @param {() => string} url With a query; asked for at each opening.
     * @param {string} position
     * @param {(word: Word) => void} onWord
     */
    constructor(server, url, position, onWord) {
      this.#url = url;
      this.#server = server;
      this.#alarms = new Alarms(server.timers);
      this.#position = position;
      this.#onWord = onWord;
    }

    /** Whether it waits for its turn to connect again. */
    get isWaiting() {
      return this.#source === null && this.#asking === null;
    }

    open() {
      this.#drop();
      this.#begin();
      this.#expectEvent(NEVER_HEARD_MS);
      if (this.#server.token === undefined) this.#connect("");
      else void this.#connectAs(this.#server.token);
    }

    /** @param {string} ticket */
    #connect(ticket) {
      const { EventSource, withCredentials } = this.#server;
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
    async #connectAs(token) {
      this.#asking = new AbortController();
      const { signal } = this.#asking;
      const ticket = await this.#ticket(token, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.#asking = null;
      if (typeof ticket === "string") this.#connect(ticket);
      else this.#fail({ isRefused: ticket === null });
    }

    /**
     * Null if the token counts no more, or has become one of other rights than the tabs share; "" of a server that has no
     * tickets: it is open to everybody, or somebody else decides.
     * @param {Token} token
     * @param {AbortSignal} signal
     * @returns {Promise<string | null>}
     */
    async #ticket(token, signal) {
      const { baseUrl, fetch, withCredentials, isShared, rights } = this.#server;
      const credentials = withCredentials ? "include" : "same-origin";
      const init = /** @type {const} */ ({ method: "POST", credentials, signal });
      const answer = await fetchAs(token, fetch, `${baseUrl}/api/tickets`, init);
      if (answer.status === 401 || (isShared && rightsIn(await textOf(token)) !== rights)) return null;
      if ([403, 404, 405].includes(answer.status)) return "";
      if (!answer.ok) throw new Error(`no ticket: ${answer.status}`);
      return encodeURIComponent((await answer.json()).ticket);
    }

    close() {
      this.#drop();
    }

    /** The next connection begins with snapshots. */
    forget() {
      this.#position = "";
    }

    /** Begins anew with a snapshot. Somebody has heard from the server just now: there is no need to wait long. */
    restart() {
      if (this.#source?.readyState !== OPEN) return;
      this.#position = "";
      this.#failures = 1;
      this.#reopenLater();
    }

    #begin() {
      this.#since_ms = Date.now();
      this.#isGreeted = false;
      this.#isLate = false;
    }

    /** @param {EventSourceLike} source @param {boolean} hasTicket */
    #listenTo(source, hasTicket) {
      for (const type of /** @type {const} */ (["snapshot", "step", "heartbeat", "end"])) {
        source.addEventListener(type, (event) => {
          if (source === this.#source) this.#receive(type, event);
        });
      }
      source.addEventListener("open", () => {
        if (source !== this.#source) return;
        this.#isMute = true;
        this.#expectEvent(NEVER_HEARD_MS);
      });
      source.addEventListener("error", () => {
        if (source !== this.#source) return;
        if (source.readyState === CLOSED && this.#isSpent) {
          if (this.#isHasty) this.#fail();
          else this.open();
          return;
        }
        this.#isSpent = hasTicket;
        this.#receiveError(source);
      });
    }

    /**
     * @param {Exclude<Word["type"], "failure">} type
     * @param {MessageEvent} event
     */
    #receive(type, event) {
      this.#failures = 0;
      this.#isMute = false;
      // Whoever had followed it to its end would have closed this stream: after `end` there is something we do not know.
      let inStep = type !== "end";
      try {
        const data = JSON.parse(event.data);
        if (type === "heartbeat") this.#takeHeartbeat(data);
        else this.#position = event.lastEventId;
        this.#watch(this.#patience_ms);
        this.#alarms.arm("quiet", this.#interval_ms + LATE_MS, () => this.#tellLate());
        const failure = this.#isLate ? HOPELESS : undefined;
        const isGreeting = !this.#isGreeted;
        this.#isGreeted = true;
        this.#onWord({ type, data, failure, position: this.#position, since_ms: this.#since_ms, isGreeting });
      } catch (error) {
        console.error(error);
        inStep = false;
      }
      if (inStep || !this.#source) return;
      this.#position = "";
      this.#fail();
    }

    /** @param {import("./wire.js").Heartbeat} data */
    #takeHeartbeat({ now, interval_ms }) {
      if (interval_ms > 0) this.#interval_ms = interval_ms;
      const sample_ms = Date.parse(now) - Date.now();
      if (Number.isNaN(this.#clock.best_ms)) this.#clock.hear(serverClock.best_ms);
      const isKnown = this.#clock.isNear(sample_ms);
      this.#isLate = this.#clock.isLate(sample_ms);
      this.#clock.hear(sample_ms);
      // What follows it is no older.
      if (isKnown) this.#since_ms = Date.parse(now) - this.#clock.best_ms;
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
      // An answer of 200 that ends without a word comes from a server that is full, and says when to come back.
      const isTurnedAway = this.#isMute;
      this.#isMute = false;
      const failure = isTurnedAway ? { isHopeless: true } : {};
      if (this.#isHasty) {
        this.#fail(failure);
        return;
      }
      this.#alarms.arm("pace", BACKOFF_MIN_MS, () => {});
      // The server's `retry:` decides when the browser tries again, and may well be longer than QUIET_MS.
      this.#failures += 1;
      this.#expectEvent(Math.max(RECONNECT_MS, this.#patience_ms));
      this.#tellFailure(failure);
    }

    /** The last attempt failed a moment ago: whatever it said to the browser, such a server is not asked at once again. */
    get #isHasty() {
      return this.#alarms.isArmed("pace");
    }

    /** @param {number} deadline_ms */
    #expectEvent(deadline_ms) {
      this.#alarms.arm("quiet", QUIET_MS, () => this.#tellFailure({ isHopeless: true }));
      this.#watch(deadline_ms);
    }

    /** @param {number} deadline_ms */
    #watch(deadline_ms) {
      this.#alarms.arm("dead", deadline_ms, () => this.#fail());
    }

    #tellLate() {
      this.#isLate = true;
      this.#tellFailure({ isHopeless: true });
    }

    /** @param {Partial<Failure>} [failure] */
    #fail(failure = {}) {
      this.#failures += 1;
      this.#reopenLater();
      this.#tellFailure(failure);
    }

    /** @param {Partial<Failure>} failure */
    #tellFailure({ isRefused = false, isHopeless = this.#failures >= FAILURES_BEFORE_POLLING }) {
      this.#onWord({ type: "failure", failure: { isRefused, isHopeless } });
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
      this.#asking?.abort();
      this.#asking = null;
      this.#source?.close();
      this.#source = null;
      this.#isSpent = false;
      this.#isMute = false;
    }
  }

  /** @param {News} news @returns {string | undefined} The session that it changes. */
  function subjectOf({ type, data }) {
    if (type === "snapshot") return data.session_id;
    return type === "step" ? data.session.session_id : undefined;
  }

  /**
   * @param {Progress} data
   * @param {StepEvent} event
   * @returns {Progress}
   */
  function fold(data, { step, session }) {
    const { session_id, current_step, total_steps, status, ...rest } = session;
    const steps = data.steps.map((entry) => (entry.step === step.step ? step : entry));
    return { session_id, current_step, total_steps, status, steps, ...rest };
  }

  /** What a stream has told of its sessions. Whoever has it can go on from there, another tab as well. */
  class Picture {
    /** @type {Map<string, Progress>} */
    data = new Map();
    /** The id to go on from. */
    position = "";
    /** Those whose stream works. @type {Set<string>} */
    live = new Set();

    /** @param {News} news */
    add(news) {
      for (const id of news.sessions) {
        if (news.failure) this.live.delete(id);
        else this.live.add(id);
      }
      this.position = news.position ?? this.position;
      const subject = subjectOf(news);
      const before = subject && this.data.get(subject);
      if (subject && news.type === "snapshot") this.data.set(subject, news.data);
      if (subject && news.type === "step" && before) this.data.set(subject, fold(before, news.data));
    }

    /** @param {string} id */
    forget(id) {
      this.data.delete(id);
      this.live.delete(id);
    }
  }

  /**
   * Brings news of the sessions that are wanted by one stream. It is opened anew when a session joins it, and goes on
   * where it was; those that nobody wants any more are left out at that time. Those it has no room for have failed.
   */
  class Feed {
    #server;
    #picture;
    #onNews;
    #alarms;
    /** @type {Set<string>} */
    #wanted = new Set();
    /** Those that the stream has, and those that it will be opened with next time. @type {Set<string>} */
    #carried = new Set();
    /** @type {Stream | null} */
    #stream = null;

    /**
     * @param {Server} server
     * @param {Picture} picture Kept up to date, and where the stream begins.
     * @param {(news: News) => void} onNews
     */
    constructor(server, picture, onNews) {
      this.#server = server;
      this.#picture = picture;
      this.#onNews = onNews;
      this.#alarms = new Alarms(server.timers);
    }

    /** @param {string[]} sessions All that are wanted from now on. */
    follow(sessions) {
      this.#wanted = new Set(sessions);
      const kept = [...this.#carried].filter((id) => this.#wanted.has(id));
      if (!kept.length) this.#giveUp();
      const { data } = this.#picture;
      // Those first that another tab's stream had.
      const others = [...this.#wanted].filter((id) => !this.#carried.has(id));
      others.sort((a, b) => Number(data.has(b)) - Number(data.has(a)));
      const stranded = others.splice(Math.max(0, SESSIONS_PER_STREAM - kept.length));
      for (const id of others) this.#carried.add(id);
      if (this.#stream?.isWaiting) stranded.push(...others);
      else if (others.length) this.#openSoon();
      if (stranded.length) this.#tell({ type: "failure", sessions: stranded, failure: HOPELESS });
    }

    /** Waits no longer where the stream waits to be opened again. */
    hurry() {
      if (this.#stream?.isWaiting) this.#stream.open();
    }

    /** Begins anew with snapshots. */
    restart() {
      this.#stream?.restart();
    }

    /** Leaves the picture, so that somebody may go on from there. */
    close() {
      this.#alarms.disarmAll();
      this.#stream?.close();
      this.#stream = null;
      this.#carried.clear();
      this.#picture.live.clear();
    }

    #openSoon() {
      if (this.#stream) {
        this.#alarms.arm("open", GATHER_MS, () => this.#stream?.open());
        return;
      }
      const hear = (/** @type {Word} */ word) => this.#hear(word);
      this.#stream = new Stream(this.#server, () => this.#url(), this.#picture.position, hear);
      this.#stream.open();
    }

    #url() {
      const { data } = this.#picture;
      for (const id of this.#carried) if (!this.#wanted.has(id)) this.#drop(id);
      // A position may tell of sessions that are no longer known here, and the server be silent about those.
      if (![...this.#carried].every((id) => data.has(id))) this.#stream?.forget();
      const [first, ...others] = [...this.#carried].map(encodeURIComponent);
      const { baseUrl } = this.#server;
      return others.length
        ? `${baseUrl}/api/events?session_id=${[first, ...others].join("&session_id=")}&heartbeat=event`
        : `${baseUrl}/api/progress/${first}/events?heartbeat=event`;
    }

    /** @param {string} id */
    #drop(id) {
      this.#carried.delete(id);
      this.#picture.forget(id);
    }

    #giveUp() {
      for (const id of this.#carried) this.#drop(id);
      this.close();
    }

    /** @param {Word} word */
    #hear(word) {
      const sessions = [...this.#carried];
      const { data: known } = this.#picture;
      if (word.type === "end") {
        if (!sessions.every((id) => known.get(id)?.status === "completed")) return;
        this.#giveUp();
        // Whoever still waits has not been shown the end: a poll was ahead of it, or behind.
        this.#alarms.arm("again", CATCH_UP_MS, () => this.follow([...this.#wanted]));
      } else if (word.type === "step" && !known.has(word.data.session.session_id)) {
        this.restart();
      } else {
        this.#tell({ ...word, sessions });
      }
    }

    /** @param {News} news */
    #tell(news) {
      this.#picture.add(news);
      this.#onNews(news);
    }
  }

  /**
   * One feed for all tabs of a browser: one tab, the holder, has it and posts what it brings; the others listen.
   * Web Locks decide who that is, and pass it on at once. Where there are none (plain HTTP on a network is no secure
   * context) a tab that asks around and gets no answer takes it; of two that did, the later claim, or the smaller id,
   * stands. Either way a holder that does not answer, because it is frozen or gone without a word, is replaced.
   */
  class Tabs {
    #id = Math.random().toString(36).slice(2);
    #server;
    #picture;
    #listener;
    #alarms;
    #name;
    /** @type {BroadcastChannel | null} */
    #channel = null;
    /** @type {string[]} */
    #sessions = [];
    /** What the other tabs follow. @type {Map<string, string[]>} */
    #others = new Map();
    /** How often the feed has changed hands, as far as is known here. */
    #term = 0;
    /** "": whoever is heard next. */
    #holder = "";
    /** While this tab is the holder. @type {Feed | null} */
    #feed = null;
    /** @type {LockManager | undefined} */
    #locks = globalThis.navigator?.locks;
    /** The lock, asked for or held; aborted to let go of it. */
    #claim = new AbortController();

    /**
     * @param {Server} server
     * @param {Picture} picture
     * @param {{onNews: (news: News) => void, onPicture: () => void}} listener
     */
    constructor(server, picture, listener) {
      this.#server = server;
      this.#picture = picture;
      this.#listener = listener;
      this.#alarms = new Alarms(server.timers);
      this.#name = ["progress-sse 2", server.baseUrl, server.withCredentials && "with credentials", server.rights]
        .filter(Boolean)
        .join(" ");
    }

    /** @param {string[]} sessions All that are wanted in this tab from now on. */
    follow(sessions) {
      // What was known of a session that nobody followed here may be old; the holder's answer tells.
      if (!this.#feed) for (const id of sessions) if (!this.#sessions.includes(id)) this.#picture.forget(id);
      this.#sessions = sessions;
      if (this.#channel) this.#enrol();
      else this.#join();
      if (!this.#alarms.isArmed("mute")) this.#alarms.arm("mute", QUIET_MS, () => this.#complain());
      this.#feed?.follow(this.#everything());
    }

    hurry() {
      if (this.#feed) {
        this.#feed.hurry();
      } else {
        this.#post({ kind: "hurry" });
        this.#ask();
      }
    }

    /** Begins anew with snapshots. */
    restart() {
      if (this.#feed) this.#feed.restart();
      else this.#post({ kind: "restart" });
    }

    close() {
      this.#post({ kind: "gone" });
      this.#channel?.close();
      this.#channel = null;
      this.#resign();
      this.#claim.abort();
      this.#alarms.disarmAll();
      this.#others.clear();
      this.#picture.live.clear();
      this.#holder = "";
    }

    #join() {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
      this.#ask();
      this.#seek();
    }

    /** @param {Record<string, unknown>} message */
    #post(message) {
      this.#channel?.postMessage({ ...message, tab: this.#id, term: this.#term });
    }

    /** Says what this tab follows. The holder answers, and forgets tabs that it has not heard of for long. */
    #enrol() {
      this.#post({ kind: "follow", sessions: this.#sessions });
      this.#alarms.arm("enrol", ENROL_MS, () => this.#enrol());
    }

    /** @param {number} [unanswered] */
    #ask(unanswered = 0) {
      if (unanswered > ANSWERS_MISSED) {
        this.#seize();
        return;
      }
      this.#enrol();
      this.#alarms.arm("ask", ANSWER_MS, () => this.#ask(unanswered + 1));
    }

    /** Unless the holder is heard before. */
    #askLater() {
      this.#alarms.arm("ask", PING_MS * (1 + Math.random()), () => this.#ask());
    }

    /** Whoever has heard nothing by now should not wait for it. */
    #complain() {
      const sessions = this.#sessions.filter((id) => !this.#picture.live.has(id));
      this.#listener.onNews({ type: "failure", sessions, failure: HOPELESS });
    }

    #everything() {
      return [...new Set([this.#sessions, ...this.#others.values()].flat())];
    }

    // Who is the holder

    #seek() {
      if (this.#locks) this.#request({});
      else this.#takeSoon();
    }

    #seize() {
      if (this.#locks) this.#request({ steal: true });
      else this.#take();
    }

    /** By chance, so that one is the first. */
    #takeSoon() {
      this.#alarms.arm("take", ELECTION_MS * (1 + Math.random()), () => this.#take());
    }

    /** @param {{steal?: boolean}} how */
    #request(how) {
      this.#claim.abort();
      const claim = new AbortController();
      this.#claim = claim;
      const hold = () =>
        new Promise((resolve) => {
          claim.signal.addEventListener("abort", resolve);
          if (claim.signal.aborted) resolve(undefined);
          // What the last holder said may still be under way.
          else this.#alarms.arm("take", this.#term && HANDOVER_MS, () => this.#take());
        });
      const options = how.steal ? how : { signal: claim.signal };
      this.#locks?.request(this.#name, options, hold).catch((error) => {
        if (claim.signal.aborted) return;
        // Somebody has stolen it, having had no answer from here; or pages like this may have no locks.
        if (error.name !== "AbortError") this.#locks = undefined;
        this.#resign();
        this.#holder = "";
        this.#ask();
        this.#seek();
      });
    }

    #take() {
      if (this.#feed) return;
      this.#alarms.disarm("ask");
      this.#term += 1;
      this.#holder = this.#id;
      this.#picture.live.clear();
      // What nobody follows any more is not kept up to date, and somebody may follow it again.
      const sessions = this.#everything();
      for (const id of [...this.#picture.data.keys()]) if (!sessions.includes(id)) this.#picture.forget(id);
      this.#feed = new Feed(this.#server, this.#picture, (news) => {
        this.#post({ kind: "news", news });
        this.#listener.onNews(news);
      });
      this.#announce(this.#picture);
      this.#feed.follow(sessions);
    }

    #resign() {
      this.#alarms.disarm("take");
      this.#feed?.close();
      this.#feed = null;
    }

    /** @param {Picture} [picture] All of it, for those to whom it may be news. */
    #announce(picture) {
      this.#post({ kind: "hold", picture, ahead_ms: serverClock.best_ms });
    }

    // What the others say

    /** @param {any} message */
    #hear(message) {
      if (message.kind === "follow") this.#admit(message);
      if (message.kind === "gone") this.#dismiss(message.tab);
      if (message.kind === "hold") this.#recognize(message);
      if (message.kind === "news") this.#listen(message);
      if (message.kind === "hurry") this.#feed?.hurry();
      if (message.kind === "restart") this.#feed?.restart();
    }

    /** @param {{tab: string, sessions: string[]}} message */
    #admit({ tab, sessions }) {
      const isKnown = JSON.stringify(this.#others.get(tab)) === JSON.stringify(sessions);
      this.#others.set(tab, sessions);
      this.#alarms.arm(`tab ${tab}`, ENROLLED_MS, () => this.#forget(tab));
      if (!this.#feed) return;
      this.#announce(isKnown ? undefined : this.#picture);
      this.#feed.follow(this.#everything());
    }

    /** @param {string} tab */
    #dismiss(tab) {
      this.#alarms.disarm(`tab ${tab}`);
      this.#forget(tab);
      if (tab === this.#holder && !this.#locks) this.#takeSoon();
    }

    /** @param {string} tab */
    #forget(tab) {
      this.#others.delete(tab);
      this.#feed?.follow(this.#everything());
    }

    /** @param {{tab: string, term: number, picture?: Picture, ahead_ms: number}} message */
    #recognize({ tab, term, picture, ahead_ms }) {
      const isOutdated = this.#holder && (term < this.#term || (term === this.#term && tab > this.#holder));
      if (isOutdated) return;
      // Whoever has the lock succeeds a holder that may have spoken once more.
      const isSuccessor = this.#locks && this.#alarms.isArmed("take") && term <= this.#term;
      if (!isSuccessor) this.#resign();
      const isNew = tab !== this.#holder;
      this.#term = term;
      this.#holder = tab;
      this.#askLater();
      if (isNew) this.#enrol();
      if (!picture) return;
      Object.assign(this.#picture, picture);
      serverClock.hear(ahead_ms);
      this.#listener.onPicture();
    }

    /** @param {{tab: string, news: News}} message */
    #listen({ tab, news }) {
      if (this.#feed || tab !== this.#holder) return;
      this.#askLater();
      this.#picture.add(news);
      // The holder has left out those that nobody wants any more, and says so by not naming them.
      const known = news.type === "failure" ? [] : [...this.#picture.data.keys()];
      for (const id of known) if (!news.sessions.includes(id)) this.#picture.forget(id);
      this.#listener.onNews(news);
    }
  }

  /**
   * What a tracker wants to hear of its session.
   * @typedef {object} Listener
   * @property {(data: Progress, since_ms: number, isStep: boolean) => void} onData A snapshot is of
   *   that time or later; else 0.
   * @property {() => void} onAlive The stream works.
   * @property {(failure: Failure) => void} onFailure
   */

  /** What all trackers of a page have in common that follow sessions of one server by the same means. */
  class Hub {
    /** @type {Set<Hub>} */
    static #all = new Set();

    /** @param {Server} server */
    static of(server) {
      return [...Hub.#all].find((hub) => hub.isAt(server)) ?? new Hub(server);
    }

    #server;
    #picture = new Picture();
    #source;
    /** @type {Map<string, Set<Listener>>} */
    #listeners = new Map();
    /** The page is put away, for as long as it may be. */
    #isAway = false;
    #ending = new AbortController();

    /** @param {Server} server */
    constructor(server) {
      this.#server = server;
      const onNews = (/** @type {News} */ news) => this.#hear(news);
      const onPicture = () => this.#listeners.forEach((listeners, id) => this.#show(id, [...listeners]));
      this.#source = server.isShared
        ? new Tabs(server, this.#picture, { onNews, onPicture })
        : new Feed(server, this.#picture, onNews);
    }

    /** @param {Server} server */
    isAt(server) {
      const keys = /** @type {(keyof Server)[]} */ (Object.keys(server));
      return keys.every((key) => this.#server[key] === server[key]);
    }

    /** @param {string} id @param {Listener} listener */
    follow(id, listener) {
      if (!this.#listeners.size) this.#begin();
      this.#listeners.set(id, (this.#listeners.get(id) ?? new Set()).add(listener));
      queueMicrotask(() => this.#show(id, [listener]));
      this.#request();
    }

    /** @param {string} id @param {Listener} listener */
    unfollow(id, listener) {
      const listeners = this.#listeners.get(id);
      listeners?.delete(listener);
      if (!listeners?.size) this.#listeners.delete(id);
      if (this.#listeners.size) this.#request();
      else this.#end();
    }

    restart() {
      this.#source.restart();
    }

    #begin() {
      Hub.#all.add(this);
      const { signal } = this.#ending;
      const leave = () => this.#leave();
      const comeBack = () => this.#comeBack();
      // A page with open connections is not kept for the way back, and a frozen one holds up the other tabs.
      globalThis.addEventListener?.("pagehide", leave, { signal });
      globalThis.document?.addEventListener?.("freeze", leave, { signal });
      globalThis.document?.addEventListener?.("resume", comeBack, { signal });
      onReturn(comeBack, signal);
    }

    #end() {
      Hub.#all.delete(this);
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
      else this.#source.hurry();
    }

    #request() {
      if (!this.#isAway) this.#source.follow([...this.#listeners.keys()]);
    }

    /** Tells what is known already, if it is kept up to date. @param {string} id @param {Listener[]} listeners */
    #show(id, listeners) {
      if (!this.#picture.live.has(id)) return;
      for (const listener of listeners) this.#tell(id, listener, { data: this.#picture.data.get(id) });
    }

    /**
     * A listener may have gone, or go at the first of the two.
     * @param {string} id
     * @param {Listener} listener
     * @param {{data: Progress | undefined, since_ms?: number, isStep?: boolean, failure?: Failure | undefined}} what
     */
    #tell(id, listener, { data, since_ms = 0, isStep = false, failure }) {
      if (!this.#isListening(id, listener)) return;
      if (failure) listener.onFailure(failure);
      else listener.onAlive();
      if (data && this.#isListening(id, listener)) listener.onData(data, since_ms, isStep);
    }

    /** @param {string} id @param {Listener} listener */
    #isListening(id, listener) {
      return this.#listeners.get(id)?.has(listener) ?? false;
    }

    /** @param {News} news */
    #hear(news) {
      if (news.type === "heartbeat") serverClock.hear(Date.parse(news.data.now) - Date.now());
      const subject = subjectOf(news);
      const isCaughtUp = news.type === "heartbeat" && !news.isGreeting;
      const since_ms = (news.type === "snapshot" && news.since_ms) || 0;
      for (const id of news.sessions) {
        const data = id === subject || isCaughtUp ? this.#picture.data.get(id) : undefined;
        const told = { data, since_ms, isStep: news.type === "step", failure: news.failure };
        for (const listener of [...(this.#listeners.get(id) ?? [])]) this.#tell(id, listener, told);
      }
    }
  }

  /**
   * What a poll came to.
   * @typedef {{outcome: "answered", data: Progress, etag: string}} Answered
   * @typedef {{outcome: "unchanged" | "denied" | "rejected" | "failed"}} NoData
   */

  /** Asks for the session's state: once, or at intervals. */
  class Poller {
    #alarms;
    #url;
    #fetch;
    #token;
    #withCredentials;
    #poll;
    #interval_ms;
    /** @type {AbortController | null} */
    #running = null;
    /** A turn came while the server wanted to be left alone. */
    #isOverdue = false;
    /** The last one got no answer in time: the next may wait for longer. */
    #hung = 0;

    /**
     * @param {object} setup
     * @param {() => string} setup.url
     * @param {typeof globalThis.fetch} setup.fetch
     * @param {boolean} setup.withCredentials
     * @param {import("./wire.js").Timers} setup.timers
     * @param {Token | undefined} setup.token
     * @param {object} schedule
     * @param {(signal: AbortSignal) => Promise<unknown>} schedule.poll One turn.
     * @param {() => number} schedule.interval_ms
     */
    constructor({ url, fetch, withCredentials, timers, token }, { poll, interval_ms }) {
      this.#url = url;
      this.#fetch = fetch;
      this.#token = token;
      this.#withCredentials = withCredentials;
      this.#alarms = new Alarms(timers);
      this.#poll = poll;
      this.#interval_ms = interval_ms;
    }

    get isRunning() {
      return this.#running !== null;
    }

    /** The server has asked to be left alone for some time yet. */
    get isHeldOff() {
      return this.#alarms.isArmed("held off");
    }

    /**
     * Polls now and then at intervals until stopped; does nothing where it does so already.
     * @param {boolean} isAnswered A poll that came first has been, just now: then not now.
     */
    start(isAnswered) {
      if (this.#running) return;
      this.#running = new AbortController();
      if (isAnswered) this.#rest(this.#running.signal);
      else void this.#turn(this.#running.signal);
    }

    /** Takes the next turn now, unless one is under way or the server has asked to be left alone. */
    hurry() {
      if (!this.#running || this.isHeldOff || !this.#alarms.isArmed("turn")) return;
      this.#alarms.disarm("turn");
      void this.#turn(this.#running.signal);
    }

    stop() {
      this.#alarms.disarm("turn");
      this.#isOverdue = false;
      this.#running?.abort();
      this.#running = null;
    }

    /** Stops, and forgets what the server has asked for. */
    close() {
      this.stop();
      this.#alarms.disarmAll();
    }

    /** @param {AbortSignal} signal */
    async #turn(signal) {
      this.#isOverdue = this.isHeldOff;
      if (this.#isOverdue) return;
      await this.#poll(signal);
      if (!signal.aborted) this.#rest(signal);
    }

    /** @param {AbortSignal} signal */
    #rest(signal) {
      const jitter = 1 + POLL_JITTER * (2 * Math.random() - 1);
      this.#alarms.arm("turn", this.#interval_ms() * jitter, () => void this.#turn(signal));
    }

    /** @param {Response} response */
    #obey(response) {
      const wait_ms = retryAfter(response);
      if (!wait_ms) return;
      this.#alarms.arm(
        "held off",
        wait_ms,
        () => void (this.#running && this.#isOverdue && this.#turn(this.#running.signal)),
      );
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
      this.#alarms.arm(request, Math.min(POLL_DEADLINE_MAX_MS, POLL_DEADLINE_MS * 2 ** this.#hung), abort);
      try {
        const answer = await this.#read(await this.#request(etag, request.signal));
        this.#hung = 0;
        return answer;
      } catch (error) {
        this.#hung = request.signal.aborted && !signal.aborted ? this.#hung + 1 : 0;
        // An id with half a character in it fits into no address, neither of a poll nor of a stream.
        return { outcome: error instanceof URIError ? "rejected" : "failed" };
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
      /** @satisfies {RequestInit} */
      const init = {
        headers: { Accept: "application/json", ...(etag && { "If-None-Match": etag }) },
        credentials: this.#withCredentials ? "include" : "same-origin",
        // Where the ETag is hidden from scripts, on another origin, the browser's cache still revalidates by itself.
        cache: "no-cache",
        signal,
      };
      const fetch = this.#fetch;
      return this.#token === undefined ? fetch(this.#url(), init) : fetchAs(this.#token, fetch, this.#url(), init);
    }

    /**
     * @param {Response} response
     * @returns {Promise<Answered | NoData>}
     */
    async #read(response) {
      this.#obey(response);
      serverClock.hear(Date.parse(response.headers.get("Date") ?? "") - Date.now());
      if (response.status === 304) return { outcome: "unchanged" };
      if (response.status === 401 || response.status === 403) return { outcome: "denied" };
      if ([400, 404, 422].includes(response.status)) return { outcome: "rejected" };
      const data = response.status === 200 ? await response.json() : null;
      // A captive portal answers 200 to everything.
      if (!Array.isArray(data?.steps)) return { outcome: "failed" };
      return { outcome: "answered", data, etag: response.headers.get("ETag") ?? "" };
    }
  }

  /**
   * Milliseconds that a Retry-After header, seconds or a date, asks for. [RFC 9110 §10.2.3]
   * @param {Response} response
   */
  function retryAfter(response) {
    const value = response.headers.get("Retry-After") ?? "";
    const delay_ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return delay_ms > 0 ? Math.min(delay_ms, RETRY_AFTER_MAX_MS) : 0;
  }

  /**
   * Acts whenever somebody may be looking again at a page that was left alone.
   * @param {() => void} action
   * @param {AbortSignal} signal
   */
  function onReturn(action, signal) {
    const { document } = globalThis;
    const ifVisible = () => void (document.visibilityState === "visible" && action());
    document?.addEventListener?.("visibilitychange", ifVisible, { signal });
    globalThis.addEventListener?.("online", action, { signal });
    globalThis.addEventListener?.("pageshow", ({ persisted }) => void (persisted && action()), { signal });
  }

  /** Whether tabs can talk to one another: not in browsers before 2022, nor where all storage is forbidden. */
  function hasChannels() {
    try {
      new BroadcastChannel("progress-sse").close();
      return true;
    } catch {
      return false;
    }
  }

  /** The server's address, from that of this script. A module has no currentScript: index.js then fills it in. */
  function whereMounted() {
    const script = globalThis.document?.currentScript;
    // An <img name="currentScript"> that somebody put into the page would name a server of his, and get its tokens.
    const address = script && script instanceof HTMLScriptElement ? script.src : "";
    return address.match(/^(.*)\/web\/tracker\.js(?:[?#]|$)/)?.[1] ?? "";
  }

  /** So that one server is one, however a page writes its address. @param {string} baseUrl */
  function absolute(baseUrl) {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    const folder = `${baseUrl.replace(/\/+$/, "")}/`;
    return URL.canParse?.(folder, base) ? new URL(folder, base).href.slice(0, -1) : baseUrl;
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

    static fold = fold;

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
    /** What a poll brought that the stream has not come to yet, as JSON. Until then it would set the page back. */
    #ahead = "";
    /** When that poll was answered. */
    #polled_ms = 0;
    /** States that events have replaced, as JSON: a process that is behind still tells of them. @type {string[]} */
    #passed = [];
    #transport;
    #stopOnError;
    #signal;
    #alarms;
    #poller;
    /** Where streams come from; null where there are none. @type {Server | null} */
    #server = null;
    #mayStreamAlone;
    /** @type {Hub | null} */
    #hub = null;
    /** The session as it was called when it was followed: pages may set `sessionId`. */
    #followed = "";
    /** @type {Listener} */
    #listener = {
      onData: (data, since_ms, isStep) => this.#receive(data, since_ms, isStep),
      onAlive: () => this.#revive(),
      onFailure: (failure) => this.#missStream(failure),
    };
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
        signal,
        EventSource = globalThis.EventSource,
        fetch = browserFetch,
        timers = globalThis,
      } = options;
      const baseUrl = absolute(options.baseUrl ?? ProgressTracker.baseUrl);
      this.sessionId = sessionId;
      this.interval = interval;
      this.onUpdate = onUpdate;
      this.onComplete = onComplete;
      this.onError = onError;
      this.#stopOnError = stopOnError;
      this.#transport = transport;
      this.#signal = signal;
      this.#alarms = new Alarms(timers);
      this.#finished = this.#promiseFinish();

      // Pages may set `sessionId` before they start.
      const url = () => `${baseUrl}/api/progress/${encodeURIComponent(this.sessionId)}`;
      this.#poller = new Poller(
        { url, fetch, withCredentials, timers, token },
        { poll: (stopped) => this.#pollInTurn(stopped), interval_ms: () => this.#interval_ms },
      );
      if (!EventSource && transport === "sse") throw new TypeError("transport 'sse' needs an EventSource");
      const isShared = options.EventSource === undefined && hasChannels();
      // Where tabs cannot share, six streams would leave no connection to the seventh tab, nor to its polls.
      this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
      if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
        const means = {
          EventSource,
          withCredentials,
          timers,
          token,
          fetch: token === undefined ? browserFetch : fetch,
        };
        this.#server = { baseUrl, isShared, rights: "", ...means };
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
      this.#ahead = "";
      this.#passed = [];
      this.#firstUpdate = new Promise((resolve) => {
        this.#settleFirstUpdate = resolve;
      });
      const { signal } = this.#stopping;
      if (!this.#enter("connecting")) return this.#firstUpdate;
      this.#signal?.addEventListener("abort", () => this.stop(), { signal });
      onReturn(() => this.#check(), signal);
      if (this.#server) {
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
      const { signal } = this.#stopping;
      const { outcome } = await this.#pollOnce(signal);
      // Whoever asks by hand is told, changed or not.
      if (outcome === "unchanged" && this.#data && !signal.aborted) this.#tell(this.#data);
    }

    /** Guards against nonsense that would make a timer spin. */
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
      if (!this.#server) return;
      const { token } = this.#server;
      if (token === undefined) this.#followAt(this.#server);
      else void this.#followAs(this.#server, token);
    }

    /** @param {Server} server */
    #followAt(server) {
      if (this.#hub?.isAt(server)) return;
      this.#unfollow();
      this.#hub = Hub.of(server);
      this.#followed = String(this.sessionId);
      this.#hub.follow(this.#followed, this.#listener);
    }

    /** Tokens of a function come late, and may come to have other rights. @param {Server} server @param {Token} token */
    async #followAs(server, token) {
      const { signal } = this.#stopping;
      const rights = await textOf(token).then(rightsIn, () => null);
      if (signal.aborted) return;
      const isShared = server.isShared && rights !== null;
      if (isShared || this.#mayStreamAlone) this.#followAt({ ...server, isShared, rights: rights ?? "" });
      else this.#goAlone();
    }

    #unfollow() {
      const hub = this.#hub;
      this.#hub = null;
      hub?.unfollow(this.#followed, this.#listener);
    }

    /** @param {boolean} [isAnswered] As for polling. */
    #goAlone(isAnswered) {
      if (!this.polling) return;
      this.#unfollow();
      this.#startPolling(isAnswered);
      if (!this.#server || this.#transport !== "sse") return;
      this.#server = { ...this.#server, isShared: false };
      this.#follow();
    }

    /** @param {boolean} [isAnswered] A poll that came first has been, just now. */
    #startPolling(isAnswered = false) {
      this.#alarms.disarm("first");
      if (this.polling && this.#transport !== "sse") this.#poller.start(isAnswered);
    }

    /** Makes sure now that what the page shows is true. */
    #check() {
      if (this.#poller.isRunning) this.#poller.hurry();
      else if (this.#transport !== "sse") void this.#verify();
    }

    async #verify() {
      if (this.#poller.isHeldOff) return;
      const { signal } = this.#stopping;
      const { outcome } = await this.#pollOnce(signal);
      // The stream may be as dead; its next event will tell.
      if (outcome === "failed" && !signal.aborted) this.#startPolling();
    }

    /** @param {AbortSignal} signal */
    async #pollInTurn(signal) {
      const { outcome } = await this.#pollOnce(signal);
      const isAnswered = outcome === "applied" || outcome === "unchanged";
      if (!signal.aborted) this.#enter(isAnswered ? "polling" : "reconnecting");
    }

    /**
     * @param {AbortSignal} signal
     * @returns {Promise<NoData | {outcome: "applied"}>}
     */
    async #pollOnce(signal) {
      const poll = ++this.#polls;
      const eventsBefore = this.#eventsApplied;
      const answer = await this.#poller.ask(this.#etag, signal);
      if (signal.aborted) return { outcome: "failed" };
      if (answer.outcome === "denied") this.#shutDown("denied");
      // A session that the server will not have would cost all others that share its stream.
      else if (answer.outcome === "rejected") this.#goAlone(true);
      else if (answer.outcome !== "failed" && this.polling) this.#follow();
      if (answer.outcome !== "answered") return answer;
      const polled = JSON.stringify(answer.data);
      const isBehind = this.#state === "live" && this.#passed.includes(polled);
      const overtaken = eventsBefore !== this.#eventsApplied || poll < this.#pollApplied || isBehind;
      if (overtaken) return { outcome: "unchanged" };
      this.#pollApplied = poll;
      this.#etag = answer.etag;
      if (polled === JSON.stringify(this.#data)) return { outcome: "unchanged" };
      this.#polled_ms = Date.now();
      if (this.#hub) this.#expectStreamAt(polled);
      this.#apply(answer.data);
      return { outcome: "applied" };
    }

    /**
     * The steps of a stream lead through every state that polls tell, to the byte; only a newer snapshot may skip it.
     * While it is not well, polls carry.
     * @param {string} state
     */
    #expectStreamAt(state) {
      this.#ahead = state;
      const restart = () => void (this.#state === "live" && this.#hub?.restart());
      this.#alarms.arm("catch up", CATCH_UP_MS, restart);
    }

    #revive() {
      this.#poller.stop();
      if (this.#enter("live")) this.#expectFirst();
    }

    /** The stream may be late, or away, or a proxy hold it back that has let the first bytes through. */
    #expectFirst() {
      if (!this.polling || this.#data || this.#alarms.isArmed("first")) return;
      this.#alarms.arm("first", QUIET_MS, () => void (this.#data || this.#startPolling()));
    }

    /**
     * @param {Progress} data
     * @param {number} since_ms The session was like that at this time or later.
     * @param {boolean} isStep
     */
    #receive(data, since_ms, isStep) {
      // It may have been missed by others before this tracker started, and be no end of what it follows.
      if (isStep && !this.#data) return;
      const state = JSON.stringify(data);
      // A time to come means that somebody has set the clock back.
      const isNewer = since_ms > this.#polled_ms || (since_ms > 0 && this.#polled_ms > Date.now());
      if (this.#ahead && !isNewer && state !== this.#ahead) {
        if (!this.#alarms.isArmed("catch up")) this.#expectStreamAt(this.#ahead);
        return;
      }
      this.#ahead = "";
      this.#alarms.disarm("catch up");
      const before = JSON.stringify(this.#data);
      if (state === before) return;
      this.#passed = [...this.#passed, before].slice(-STATES_PASSED);
      this.#eventsApplied += 1;
      this.#etag = "";
      this.#apply(data);
    }

    /** @param {Failure} failure */
    #missStream({ isHopeless, isRefused }) {
      if (this.#state !== "polling" && !this.#enter("reconnecting")) return;
      // A page that has nothing to show yet does not wait for a third failure.
      if (isHopeless || !this.#data) this.#startPolling();
      // An EventSource hides why it was refused; a poll tells whether that was for want of permission.
      const isAsked = this.#poller.isRunning || this.#poller.isHeldOff;
      if (isRefused && !isAsked) void this.#pollOnce(this.#stopping.signal);
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
      this.#unfollow();
      this.#poller.close();
      this.#stopping.abort();
      this.#stopping = new AbortController();
      this.#settleFinish(state === "finished" ? this.data : null);
      this.#settleFirstUpdate();
      this.#enter(state);
    }

    /** @param {TrackerState} state @returns {boolean} False: a listener has stopped the tracker. */
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
   * It takes one argument only, since pages write `steps.filter(checkTimeout)`.
   * @param {import("./wire.js").Step} step
   */
  function checkTimeout(step) {
    if (step.status !== "running" || !step.started_at || !step.timeout_ms) return false;
    return Date.now() + serverClock.ahead_ms - Date.parse(step.started_at) > step.timeout_ms;
  }

  globalThis.ProgressTracker = ProgressTracker;
  globalThis.checkTimeout = checkTimeout;
}
