async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}
function copiedBySelection(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  const focused = focusedElement();
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
function focusedElement() {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return focused;
}
var COPIED_SHOWN_MS = 2e3;
var SVG = "http://www.w3.org/2000/svg";
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
function translatePage(tag, texts) {
  document.documentElement.lang = tag;
  for (const target of document.querySelectorAll("[data-text]")) {
    target.textContent = texts[target.getAttribute("data-text") ?? ""] ?? "";
  }
}
function make(tag, name = "", ...children) {
  const made = document.createElement(tag);
  if (name) {
    made.className = name;
    made.part.value = name;
  }
  made.append(...children);
  return made;
}
function makeSvg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
function isolated(text, name) {
  return make("bdi", name, text);
}
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
function makeButton(name, text) {
  const button = make("button", `button ${name}`, text);
  button.type = "button";
  return button;
}
function copyButton(texts, text, announce) {
  const button = makeButton("copy", texts.copy);
  button.addEventListener("click", async () => {
    const answer = await copyText(text()) ? texts.copied : texts.copy_failed;
    button.textContent = answer;
    announce(answer);
    setTimeout(() => button.textContent = texts.copy, COPIED_SHOWN_MS);
  });
  return button;
}
function focusedIn(element2) {
  const { activeElement } = element2.getRootNode();
  return activeElement && element2.contains(activeElement) ? activeElement : null;
}
(() => {
  var LATE_MS = 5e3;
  var SAMPLES = 5;
  var CLOCK_SET_MS = 6e4;
  var ServerClock = class {
    #samples = [];
    get ahead_ms() {
      return this.estimate_ms || 0;
    }
    get estimate_ms() {
      return this.#samples.length ? Math.max(...this.#samples) : NaN;
    }
    isLate(sample_ms) {
      return this.estimate_ms - sample_ms > LATE_MS && this.isNear(sample_ms);
    }
    isNear(sample_ms) {
      return Math.abs(this.estimate_ms - sample_ms) <= CLOCK_SET_MS;
    }
    add(sample_ms) {
      if (Number.isNaN(sample_ms)) return;
      if (this.ahead_ms - sample_ms > CLOCK_SET_MS) this.#samples = [];
      this.#samples = [...this.#samples, sample_ms].slice(-SAMPLES);
    }
  };
  var serverClock = new ServerClock();
  function checkTimeout2(step) {
    if (step.status !== "running" || !step.started_at || !step.timeout_ms) return false;
    return Date.now() + serverClock.ahead_ms - Date.parse(step.started_at) > step.timeout_ms;
  }
  function baseUrlOfScript() {
    const script = globalThis.document?.currentScript;
    const address2 = script && script instanceof HTMLScriptElement ? script.src : "";
    return address2.match(/^(.*)\/web\/tracker\.js(?:[?#]|$)/)?.[1] ?? "";
  }
  function absoluteUrl(baseUrl) {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    const folder = `${baseUrl.replace(/\/+$/, "")}/`;
    return URL.canParse?.(folder, base) ? new URL(folder, base).href.slice(0, -1) : baseUrl;
  }
  var browserFetch = (...request) => globalThis.fetch(...request);
  var TIMER_MAX_MS = 2 ** 31 - 1;
  var Timers = class {
    #handles = /* @__PURE__ */ new Map();
    #timers;
    constructor(timers) {
      this.#timers = timers;
    }
    set(name, delay_ms, action) {
      this.clear(name);
      const run = () => {
        this.#handles.delete(name);
        action();
      };
      this.#handles.set(name, this.#timers.setTimeout(run, Math.min(delay_ms, TIMER_MAX_MS)));
    }
    isSet(name) {
      return this.#handles.has(name);
    }
    clear(name) {
      this.#timers.clearTimeout(this.#handles.get(name));
      this.#handles.delete(name);
    }
    clearAll() {
      for (const name of [...this.#handles.keys()]) this.clear(name);
    }
  };
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
    #taking = null;
    #hold = "";
    #isOpen = false;
    #channel = null;
    #id = Math.random().toString(36).slice(2);
    #others = /* @__PURE__ */ new Map();
    constructor({ baseUrl, query, isByLink, timers }, on) {
      this.#origin = originOf(baseUrl);
      this.#name = `progress-sse stream of ${this.#origin}`;
      this.#isMinor = query !== null || isByLink;
      this.#timers = new Timers(timers);
      this.#on = on;
    }
    take() {
      if (this.#taking || isMultiplexed(this.#origin)) return;
      this.#taking = new AbortController();
      const { signal } = this.#taking;
      const locks = globalThis.navigator?.locks;
      if (!locks) this.#join();
      else this.#lock(locks, signal).catch(() => void (signal.aborted || this.#joinLate()));
    }
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
    #joinLate() {
      this.#on.free();
      this.#join();
    }
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
    const loaded = [...entriesOf("navigation"), ...entriesOf("resource")];
    return loaded.some(({ name, nextHopProtocol }) => /^h[23]/.test(nextHopProtocol) && originOf(name) === origin);
  }
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
  async function fetchWithToken(token, fetch2, url, init) {
    const request = async () => {
      const text = tokenText(token);
      const bearer = await unlessAborted(text, init.signal).catch((error) => {
        forgetToken(token, text);
        throw error;
      });
      const headers = { ...init.headers, ...bearer && { Authorization: `Bearer ${bearer}` } };
      const response2 = await fetch2(url, { ...init, headers });
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
      return JSON.stringify(Object.entries(claims).filter(([name]) => !TIME_CLAIMS.includes(name)).sort());
    } catch {
      return null;
    }
  }
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
  var TYPES = ["snapshot", "step", "session", "list", "removed", "heartbeat", "log", "end"];
  var HOPELESS = { isHopeless: true, isRefused: false };
  var Stream = class {
    #timers;
    #onEvent;
    #url;
    #settings;
    #ticketRequest = null;
    #source = null;
    #isTicketUsed = false;
    #position;
    #failures = 0;
    #since_ms = 0;
    #interval_ms = HEARTBEAT_MS;
    #clock = new ServerClock();
    #isLate = false;
    #hasEvent = false;
    #isMute = false;
    constructor(settings, url, position, onEvent) {
      this.#url = url;
      this.#settings = settings;
      this.#timers = new Timers(settings.timers);
      this.#position = position;
      this.#onEvent = onEvent;
    }
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
    async #connectWithTicket(token) {
      this.#ticketRequest = new AbortController();
      const { signal } = this.#ticketRequest;
      const ticket = await this.#requestTicket(token, signal).catch(() => void 0);
      if (signal.aborted) return;
      this.#ticketRequest = null;
      if (typeof ticket === "string") this.#connect(ticket);
      else this.#fail({ isRefused: ticket === null });
    }
    async #requestTicket(token, signal) {
      const { baseUrl, fetch: fetch2, withCredentials, isShared, rights } = this.#settings;
      const credentials = withCredentials ? "include" : "same-origin";
      const init = { method: "POST", credentials, signal };
      const response = await fetchWithToken(token, fetch2, `${baseUrl}/api/tickets`, init);
      if (response.status === 401 || isShared && rightsOf(await tokenText(token)) !== rights) return null;
      if ([403, 404, 405].includes(response.status)) return "";
      if (!response.ok) throw new Error(`no ticket: ${response.status}`);
      return encodeURIComponent((await response.json()).ticket);
    }
    close() {
      this.#drop();
    }
    forgetPosition() {
      this.#position = "";
    }
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
    #isCurrent(source) {
      if (source !== this.#source) source.close();
      return source === this.#source;
    }
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
    get #isTooFast() {
      return this.#timers.isSet("pace");
    }
    #expectEvent(deadline_ms) {
      this.#timers.set("quiet", QUIET_MS, () => this.#reportFailure({ isHopeless: true }));
      this.#giveUpAfter(deadline_ms);
    }
    #giveUpAfter(deadline_ms) {
      this.#timers.set("dead", deadline_ms, () => this.#fail());
    }
    #reportLate() {
      this.#isLate = true;
      this.#reportFailure({ isHopeless: true });
    }
    #fail(failure = {}) {
      this.#failures += 1;
      this.#reopenLater();
      this.#reportFailure(failure);
    }
    #reportFailure({ isRefused = false, isHopeless = this.#failures >= FAILURES_BEFORE_POLLING }) {
      this.#onEvent({ type: "failure", failure: { isRefused, isHopeless } });
    }
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
  var LimitedStream = class {
    #source;
    #onEvent;
    #slot;
    #wanted = { sessions: [], hasLog: false };
    #isFull = false;
    constructor(settings, source, onEvent) {
      this.#source = source;
      this.#onEvent = onEvent;
      this.#slot = new ConnectionSlot(settings, { full: () => this.#giveWay(), free: () => this.#goOn() });
    }
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
  var MAX_LISTED2 = 1e3;
  var ListState = class {
    data = /* @__PURE__ */ new Map();
    position = "";
    live = /* @__PURE__ */ new Set();
    #since = /* @__PURE__ */ new Map();
    apply(event) {
      for (const query2 of event.sessions) {
        if (event.failure) this.live.delete(query2);
        else this.live.add(query2);
      }
      const query = this.changed(event);
      if (query !== void 0) this.#change(query, event);
    }
    changed({ type, sessions }) {
      return ["list", "session", "removed"].includes(type) ? sessions[0] : void 0;
    }
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
    beginExtending() {
      this.#since.clear();
    }
    extend(query, { sessions, more }) {
      const list = this.data.get(query);
      if (!list) return;
      const told = list.sessions.filter(({ session_id }) => this.#since.get(session_id) === "session");
      const others = sessions.filter(({ session_id }) => !this.#since.has(session_id));
      const merged = [...told, ...others].sort(byAge);
      this.data.set(query, keptList(limited({ sessions: merged, more }), list));
    }
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
    return { sessions: sessions.slice(0, MAX_LISTED2), more: more || sessions.length > MAX_LISTED2 };
  }
  var ListStream = class {
    #settings;
    #state;
    #onEvent;
    #stream = null;
    constructor(settings, state, onEvent) {
      this.#settings = settings;
      this.#state = state;
      this.#onEvent = onEvent;
    }
    follow({ sessions: [query] }) {
      if (query === void 0) {
        this.close();
      } else if (!this.#stream) {
        const url = () => `${this.#settings.baseUrl}/api/events?${query}&heartbeat=event`;
        this.#stream = new Stream(this.#settings, url, "", (event) => this.#publish({ ...event, sessions: [query] }));
        this.#stream.open();
      }
    }
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
    #publish(event) {
      this.#state.apply(event);
      this.#onEvent(event);
    }
  };
  function onReturn(action, signal) {
    const { document: document2 } = globalThis;
    const ifVisible = () => void (document2.visibilityState === "visible" && action());
    document2?.addEventListener?.("visibilitychange", ifVisible, { signal });
    globalThis.addEventListener?.("online", action, { signal });
    globalThis.addEventListener?.("pageshow", ({ persisted }) => void (persisted && action()), { signal });
  }
  function onPutAway({ leave, comeBack }, signal) {
    globalThis.addEventListener?.("pagehide", leave, { signal });
    globalThis.document?.addEventListener?.("freeze", leave, { signal });
    globalThis.document?.addEventListener?.("resume", comeBack, { signal });
    onReturn(comeBack, signal);
  }
  var BY_LINK = "link=1";
  function fetchByLink(fetch2) {
    return (url, init) => fetch2(`${url}${String(url).includes("?") ? "&" : "?"}${BY_LINK}`, init);
  }
  function rightsOfLink(sessionId) {
    return `link ${sessionId}`;
  }
  function fold(data, event) {
    const { session_id, current_step, total_steps, status, steps: _, ...rest } = event.session;
    const steps = "step" in event ? withStep(data.steps, event.step) : data.steps;
    return { session_id, current_step, total_steps, status, steps, ...rest };
  }
  function withStep(steps, changed) {
    if (changed.step === steps.length + 1) return [...steps, changed];
    return steps.map((step) => step.step === changed.step ? changed : step);
  }
  var isFolded = (type) => type === "step" || type === "session";
  var StreamState = class {
    data = /* @__PURE__ */ new Map();
    position = "";
    live = /* @__PURE__ */ new Set();
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
    changed({ type, data }) {
      if (type === "snapshot") return data.session_id;
      return isFolded(type) ? data.session.session_id : void 0;
    }
    forget(id) {
      this.data.delete(id);
      this.live.delete(id);
    }
  };
  var SESSIONS_PER_STREAM = 20;
  var GATHER_MS = 50;
  var CATCH_UP_MS = 5e3;
  var SharedStream = class {
    #settings;
    #state;
    #onEvent;
    #timers;
    #wanted = /* @__PURE__ */ new Set();
    #carried = /* @__PURE__ */ new Set();
    #hasLog = false;
    #stream = null;
    constructor(settings, state, onEvent) {
      this.#settings = settings;
      this.#state = state;
      this.#onEvent = onEvent;
      this.#timers = new Timers(settings.timers);
    }
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
    retryNow() {
      if (this.#stream?.isWaiting) this.#stream.open();
    }
    restart() {
      this.#stream?.restart();
    }
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
    #drop(id) {
      this.#carried.delete(id);
      this.#state.forget(id);
    }
    #giveUp() {
      for (const id of this.#carried) this.#drop(id);
      this.close();
    }
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
    #publish(event) {
      this.#state.apply(event);
      this.#onEvent(event);
    }
  };
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
    #channel = null;
    #wanted = { sessions: [], hasLog: false };
    #others = /* @__PURE__ */ new Map();
    #term = 0;
    #holder = "";
    #stream = null;
    #locks = globalThis.navigator?.locks;
    #claim = new AbortController();
    constructor(settings, state, openStream, listener) {
      this.#state = state;
      this.#openStream = openStream;
      this.#listener = listener;
      this.#timers = new Timers(settings.timers);
      this.#name = [GROUP, settings.baseUrl, settings.withCredentials && "with credentials", settings.rights, settings.query].filter(Boolean).join(" ");
    }
    follow(wanted) {
      const { sessions } = this.#wanted;
      if (!this.#stream) {
        for (const id of wanted.sessions) if (!sessions.includes(id)) this.#state.forget(id);
      }
      this.#wanted = wanted;
      if (this.#channel) this.#announce();
      else this.#join();
      if (!this.#timers.isSet("silence")) this.#timers.set("silence", QUIET_MS, () => this.#reportSilence());
      this.#stream?.follow(this.#wantedByAll());
    }
    retryNow() {
      if (this.#stream) {
        this.#stream.retryNow();
      } else {
        this.#post({ kind: "retry" });
        this.#ask();
      }
    }
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
    #post(message) {
      this.#channel?.postMessage({ ...message, tab: this.#id, term: this.#term });
    }
    #announce() {
      this.#post({ kind: "follow", wanted: this.#wanted });
      this.#timers.set("announce", ANNOUNCE_MS, () => this.#announce());
    }
    #ask(unanswered = 0) {
      if (unanswered > ANSWERS_MISSED) {
        this.#steal();
        return;
      }
      this.#announce();
      this.#timers.set("ask", ANSWER_MS2, () => this.#ask(unanswered + 1));
    }
    #askLater() {
      this.#timers.set("ask", PING_MS * (1 + Math.random()), () => this.#ask());
    }
    #reportSilence() {
      const sessions = this.#wanted.sessions.filter((id) => !this.#state.live.has(id));
      this.#listener.onEvent({ type: "failure", sessions, failure: HOPELESS });
    }
    #wantedByAll() {
      const all = [this.#wanted, ...this.#others.values()];
      const sessions = [...new Set(all.flatMap((each) => each.sessions))];
      return { sessions, hasLog: all.some(({ hasLog }) => hasLog) };
    }
    #requestStream() {
      if (this.#locks) this.#requestLock({});
      else this.#takeSoon();
    }
    #steal() {
      if (this.#locks) this.#requestLock({ steal: true });
      else this.#take();
    }
    #takeSoon() {
      this.#timers.set("take", ELECTION_MS * (1 + Math.random()), () => this.#take());
    }
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
      this.#postHold(this.#state);
      this.#stream.follow(wanted);
    }
    #release() {
      this.#timers.clear("take");
      this.#stream?.close();
      this.#stream = null;
    }
    #postHold(state) {
      this.#post({ kind: "hold", state, ahead_ms: serverClock.estimate_ms });
    }
    #receive(message) {
      if (message.kind === "follow") this.#onFollow(message);
      if (message.kind === "gone") this.#onGone(message.tab);
      if (message.kind === "hold") this.#onHold(message);
      if (message.kind === "event") this.#onEvent(message);
      if (message.kind === "retry") this.#stream?.retryNow();
      if (message.kind === "restart") this.#stream?.restart();
    }
    #onFollow({ tab, wanted }) {
      const isKnown = JSON.stringify(this.#others.get(tab)?.sessions) === JSON.stringify(wanted.sessions);
      this.#others.set(tab, wanted);
      this.#timers.set(`tab ${tab}`, TAB_EXPIRY_MS, () => this.#forgetTab(tab));
      if (!this.#stream) return;
      this.#postHold(isKnown ? void 0 : this.#state);
      this.#stream.follow(this.#wantedByAll());
    }
    #onGone(tab) {
      this.#timers.clear(`tab ${tab}`);
      this.#forgetTab(tab);
      if (tab === this.#holder && !this.#locks) this.#takeSoon();
    }
    #forgetTab(tab) {
      this.#others.delete(tab);
      this.#stream?.follow(this.#wantedByAll());
    }
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
    #onEvent({ tab, event }) {
      if (this.#stream || tab !== this.#holder) return;
      this.#askLater();
      this.#state.apply(event);
      const known = event.type === "failure" ? [] : [...this.#state.data.keys()];
      for (const id of known) if (!event.sessions.includes(id)) this.#state.forget(id);
      this.#listener.onEvent(event);
    }
  };
  var Hub = class _Hub {
    static #all = /* @__PURE__ */ new Set();
    static of(settings) {
      return [..._Hub.#all].find((hub) => hub.hasSettings(settings)) ?? new _Hub(settings);
    }
    #settings;
    #state;
    #source;
    #listeners = /* @__PURE__ */ new Map();
    #isAway = false;
    #ending = new AbortController();
    constructor(settings) {
      this.#settings = settings;
      const { state, openStream } = partsOf2(settings);
      this.#state = state;
      const onEvent = (event) => this.#receive(event);
      const onState = () => {
        for (const [id, listeners] of this.#listeners) this.#catchUp(id, [...listeners]);
      };
      const openLimited = (onEvent2) => new LimitedStream(settings, openStream(onEvent2), onEvent2);
      this.#source = settings.isShared ? new TabCoordinator(settings, state, openLimited, { onEvent, onState }) : openStream(onEvent);
    }
    hasSettings(settings) {
      const keys = Object.keys(settings);
      return keys.every((key) => this.#settings[key] === settings[key]);
    }
    follow(id, listener) {
      if (!this.#listeners.size) this.#begin();
      this.#listeners.set(id, (this.#listeners.get(id) ?? /* @__PURE__ */ new Set()).add(listener));
      queueMicrotask(() => this.#catchUp(id, [listener]));
      this.#request();
    }
    unfollow(id, listener) {
      const listeners = this.#listeners.get(id);
      listeners?.delete(listener);
      if (!listeners?.size) this.#listeners.delete(id);
      if (this.#listeners.size) this.#request();
      else this.#end();
    }
    changeWanted() {
      if (this.#listeners.size) this.#request();
    }
    restart() {
      this.#source.restart();
    }
    beginExtending() {
      if (this.#state instanceof ListState) this.#state.beginExtending();
    }
    extend(query, list) {
      if (!(this.#state instanceof ListState)) return;
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
    #catchUp(id, listeners) {
      if (!this.#state.live.has(id)) return;
      for (const listener of listeners) this.#notify(id, listener, { data: this.#state.data.get(id) });
    }
    #notify(id, listener, { data, since_ms = 0, isChange = false, failure }) {
      if (!this.#isListening(id, listener)) return;
      if (failure) listener.onFailure(failure);
      else listener.onAlive();
      if (data && this.#isListening(id, listener)) listener.onData(data, since_ms, isChange);
    }
    #isListening(id, listener) {
      return this.#listeners.get(id)?.has(listener) ?? false;
    }
    #handOnLog(page) {
      for (const listener of [...this.#listeners.get(page.session_id) ?? []]) {
        if (listener.wantsLog) listener.onLog?.(page);
      }
    }
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
  function partsOf2(settings) {
    if (settings.query === null) {
      const state2 = new StreamState();
      return { state: state2, openStream: (onEvent) => new SharedStream(settings, state2, onEvent) };
    }
    const state = new ListState();
    return { state, openStream: (onEvent) => new ListStream(settings, state, onEvent) };
  }
  function queryOf({ prefix = "", labels = {}, status }) {
    const query = new URLSearchParams({ prefix });
    for (const [key, value] of Object.entries(labels).sort()) query.append("label", `${key}:${value}`);
    if (status) query.set("status", status);
    return query.toString();
  }
  function listOf({ sessions, next }) {
    return { sessions, more: next !== null };
  }
  var DEADLINE_MS2 = 5e3;
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
    #running = null;
    #isOverdue = false;
    #hung = 0;
    constructor({ url, array, fetch: fetch2, withCredentials, timers, token }, { poll, interval_ms }) {
      this.#url = url;
      this.#array = array;
      this.#fetch = fetch2;
      this.#token = token;
      this.#withCredentials = withCredentials;
      this.#timers = new Timers(timers);
      this.#poll = poll;
      this.#interval_ms = interval_ms;
    }
    get isRunning() {
      return this.#running !== null;
    }
    get isHeldOff() {
      return this.#timers.isSet("held off");
    }
    start(isAnswered) {
      if (this.#running) return;
      this.#running = new AbortController();
      if (isAnswered) this.#schedule(this.#running.signal);
      else void this.#pollInTurn(this.#running.signal);
    }
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
    close() {
      this.stop();
      this.#timers.clearAll();
    }
    async #pollInTurn(signal) {
      this.#isOverdue = this.isHeldOff;
      if (this.#isOverdue) return;
      await this.#poll(signal);
      if (!signal.aborted) this.#schedule(signal);
    }
    #schedule(signal) {
      const jitter = 1 + JITTER * (2 * Math.random() - 1);
      this.#timers.set("turn", this.#interval_ms() * jitter, () => void this.#pollInTurn(signal));
    }
    #holdOff(response) {
      const wait_ms = retryAfter_ms(response);
      if (!wait_ms) return;
      this.#timers.set("held off", wait_ms, () => {
        if (this.#running && this.#isOverdue) void this.#pollInTurn(this.#running.signal);
      });
    }
    async request(etag, signal) {
      const request = new AbortController();
      const abort = () => {
        this.#timers.clear(request);
        request.abort();
      };
      signal.addEventListener("abort", abort);
      this.#timers.set(request, Math.min(DEADLINE_MAX_MS, DEADLINE_MS2 * 2 ** this.#hung), abort);
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
    #send(etag, signal) {
      const init = { headers: { Accept: "application/json", ...etag && { "If-None-Match": etag } }, credentials: this.#withCredentials ? "include" : "same-origin", cache: "no-cache", signal };
      const fetch2 = this.#fetch;
      return this.#token === void 0 ? fetch2(this.#url(), init) : fetchWithToken(this.#token, fetch2, this.#url(), init);
    }
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
  var PAGE_LINES = 1e3;
  var RETRY_MS = 2e3;
  var LogFollower = class {
    #load;
    #onLines;
    #timers;
    #life = "";
    #last = 0;
    #isLoading = false;
    #isBehind = false;
    #isStopped = false;
    #loading = new AbortController();
    constructor({ load, onLines, timers }) {
      this.#load = load;
      this.#onLines = onLines;
      this.#timers = new Timers(timers);
    }
    stop() {
      this.#isStopped = true;
      this.pause();
    }
    pause() {
      this.#loading.abort();
      this.#timers.clearAll();
    }
    forget() {
      if (!this.#life) return;
      this.#life = "";
      this.#last = 0;
      this.#notify({ life: "", isNew: true, lines: [], missed: 0 });
    }
    add(page) {
      const { life, lines, first } = page;
      const [next] = lines.filter(({ n }) => n > this.#last);
      const follows = next !== void 0 && (next.n === this.#last + 1 || next.n === first);
      if (life !== this.#life || this.#isLoading || next && !follows) void this.sync();
      else this.#handOn(page);
    }
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
    #begin(life) {
      this.#life = life;
      this.#last = 0;
      this.#notify({ life, isNew: true, lines: [], missed: 0 });
    }
    #handOn({ life, lines }) {
      const added = lines.filter(({ n }) => n > this.#last);
      const [next] = added;
      if (!next) return;
      const missed = next.n - this.#last - 1;
      this.#last = added.at(-1)?.n ?? this.#last;
      this.#notify({ life, isNew: false, lines: added, missed });
    }
    #notify(update) {
      try {
        this.#onLines(update);
      } catch (error) {
        console.error(error);
      }
    }
  };
  function isRefusal(error) {
    const { status = 0 } = error;
    return status >= 400 && status < 500 && status !== 429;
  }
  var LogFollowers = class {
    #all = /* @__PURE__ */ new Set();
    #load;
    #timers;
    #onWanted;
    constructor({ load, timers, onWanted }) {
      this.#load = load;
      this.#timers = timers;
      this.#onWanted = onWanted;
    }
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
    add(page) {
      for (const log of this.#all) log.add(page);
    }
    sync() {
      for (const log of this.#all) void log.sync();
    }
    forget() {
      for (const log of this.#all) log.forget();
    }
    pause() {
      for (const log of this.#all) log.pause();
    }
  };
  var REPLACED_STATES = 10;
  var PollOrder = class {
    #events = 0;
    #polls = 0;
    #applied = 0;
    #changed_ms = 0;
    #ahead = "";
    #replaced = [];
    reset() {
      this.#ahead = "";
      this.#replaced = [];
    }
    send() {
      this.#polls += 1;
      return { number: this.#polls, events: this.#events };
    }
    takePoll({ number, events }, state, isLive) {
      const isBehind = isLive && this.#replaced.includes(state);
      if (events !== this.#events || number < this.#applied || isBehind) return false;
      this.#applied = number;
      return true;
    }
    change(state, isStreamed) {
      this.#changed_ms = Date.now();
      if (isStreamed) this.#ahead = state;
    }
    isBehindPoll(state, since_ms) {
      const isNewer = since_ms > this.#changed_ms || since_ms > 0 && this.#changed_ms > Date.now();
      return this.#ahead !== "" && !isNewer && state !== this.#ahead;
    }
    catchUp() {
      this.#ahead = "";
    }
    takeEvent(before) {
      this.#replaced = [...this.#replaced, before].slice(-REPLACED_STATES);
      this.#events += 1;
    }
  };
  var DEADLINE_MS22 = 1e4;
  var PAUSES_MS = [500, 1500, 4e3];
  var RETRY_AFTER_MAX_MS2 = 1e4;
  var RequestError = class extends Error {
    name = "RequestError";
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
    constructor({ url, baseUrl, fetch: fetch2, withCredentials, timers, token }) {
      this.#url = url;
      this.#baseUrl = baseUrl;
      this.#fetch = fetch2;
      this.#token = token;
      this.#withCredentials = withCredentials;
      this.#timers = new Timers(timers);
    }
    mayAsk(signal) {
      const methods = ({ ok, headers }) => ok && /\bPOST\b/.test(headers.get("Allow") ?? "");
      return this.#send(`${this.#url()}/requests`, { method: "HEAD" }, signal, async (response) => methods(response));
    }
    async ask(kind, { step, reason, signal }) {
      const init = { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": randomKey() }, body: JSON.stringify({ kind, step, reason }) };
      for (let sent = 1; ; sent++) {
        const answer = await this.#request(`${this.#url()}/requests`, init, signal);
        if (typeof answer.body?.id === "string") return answer.body;
        const pause_ms = PAUSES_MS[sent - 1];
        if (pause_ms === void 0 || !isTransient(answer)) throw new RequestError(answer);
        await this.#pause(Math.max(pause_ms, answer.retryAfter_ms), signal);
      }
    }
    async parts(step, signal) {
      const answer = await this.#request(`${this.#url()}/parts?step=${step}`, {}, signal);
      if (!Array.isArray(answer.body?.parts)) throw new RequestError(answer);
      return answer.body.parts;
    }
    steps(signal) {
      return this.#definitions(`${this.#url()}/steps`, signal);
    }
    serverSteps(signal) {
      return this.#definitions(`${this.#baseUrl}/api/steps`, signal);
    }
    async log(after, signal) {
      const answer = await this.#request(`${this.#url()}/log?after=${after}&limit=${PAGE_LINES}`, {}, signal);
      if (!Array.isArray(answer.body?.lines)) throw new RequestError(answer);
      return answer.body;
    }
    async #definitions(url, signal) {
      const answer = await this.#request(url, {}, signal);
      if (!Array.isArray(answer.body?.steps)) throw new RequestError(answer);
      return answer.body.steps;
    }
    #request(url, init, signal) {
      return this.#send(url, init, signal, answerOf).catch((error) => {
        if (signal?.aborted) throw error;
        return { status: 0, body: null, retryAfter_ms: 0 };
      });
    }
    async #send(url, init, signal, read) {
      signal?.throwIfAborted();
      const request = new AbortController();
      const abort = () => request.abort();
      signal?.addEventListener("abort", abort);
      this.#timers.set(request, DEADLINE_MS22, abort);
      try {
        const credentials = this.#withCredentials ? "include" : "same-origin";
        const whole = { ...init, credentials, cache: "no-store", signal: request.signal };
        const fetch2 = this.#fetch;
        return await read(await (this.#token === void 0 ? fetch2(url, whole) : fetchWithToken(this.#token, fetch2, url, whole)));
      } finally {
        signal?.removeEventListener("abort", abort);
        this.#timers.clear(request);
      }
    }
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
  var DEFAULT_INTERVAL_MS = 2e3;
  var ProgressTracker2 = class _ProgressTracker extends EventTarget {
    static baseUrl = baseUrlOfScript();
    static fold = fold;
    #state = "stopped";
    #data = null;
    #etag = "";
    #order = new PollOrder();
    #transport;
    #stopOnError;
    #signal;
    #timers;
    #poller;
    #api;
    #settings = null;
    #mayStreamAlone;
    #hub = null;
    #followed = "";
    #listener = { onData: (data, since_ms, isChange) => this.#receive(data, since_ms, isChange), onAlive: () => this.#goLive(), onFailure: (failure) => this.#onFailure(failure), onLog: (page) => this.#logs.add(page), wantsLog: false };
    #logs;
    #stopping = new AbortController();
    #firstUpdate = Promise.resolve();
    #settleFirstUpdate = () => {
    };
    #finished;
    #settleFinished = null;
    constructor(sessionId, options = {}) {
      super();
      const { interval = DEFAULT_INTERVAL_MS, onUpdate, onComplete, onError, stopOnError = true, transport = "auto", withCredentials = false, token, byLink = false, signal, EventSource = globalThis.EventSource, fetch: fetch2 = browserFetch, timers = globalThis } = options;
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
      const access = { url, baseUrl, fetch: byLink ? fetchByLink(fetch2) : fetch2, withCredentials, timers, token };
      this.#api = new SessionApi(access);
      const load = this.#api.log.bind(this.#api);
      this.#logs = new LogFollowers({ load, timers, onWanted: (isWanted) => this.#wantLog(isWanted) });
      const polled = { ...access, array: "steps" };
      this.#poller = new Poller(polled, { poll: (stopped) => this.#pollInTurn(stopped), interval_ms: () => this.#interval_ms });
      if (!EventSource && transport === "sse") throw new TypeError("transport 'sse' needs an EventSource");
      const isShared = options.EventSource === void 0 && hasChannels();
      this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
      if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
        const ticketFetch = token === void 0 ? browserFetch : fetch2;
        this.#settings = { baseUrl, EventSource, withCredentials, timers, isShared, token, rights: "", isByLink: byLink, query: null, fetch: ticketFetch };
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
    request(kind, options = {}) {
      return this.#api.ask(kind, options);
    }
    mayRequest({ signal } = {}) {
      return this.#api.mayAsk(signal);
    }
    parts(step, { signal } = {}) {
      return this.#api.parts(step, signal);
    }
    followLog(onLines, { signal } = {}) {
      this.#logs.follow(onLines, signal, this.#data?.log === true);
    }
    #wantLog(isWanted) {
      this.#listener.wantsLog = isWanted;
      this.#hub?.changeWanted();
    }
    #syncLogs() {
      if (this.#data?.log) this.#logs.sync();
    }
    steps({ signal } = {}) {
      return this.#api.steps(signal);
    }
    serverSteps({ signal } = {}) {
      return this.#api.serverSteps(signal);
    }
    get #interval_ms() {
      return this.interval > 0 ? this.interval : DEFAULT_INTERVAL_MS;
    }
    #promiseFinish() {
      const finished = new Promise((resolve) => {
        this.#settleFinished = resolve;
      });
      return finished;
    }
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
    #followBy(settings) {
      if (this.#hub?.hasSettings(settings)) return;
      this.#unfollow();
      this.#hub = Hub.of(settings);
      this.#followed = String(this.sessionId);
      this.#hub.follow(this.#followed, this.#listener);
    }
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
    #goAlone(isAnswered) {
      if (!this.polling) return;
      this.#unfollow();
      this.#startPolling(isAnswered);
      if (!this.#settings || this.#transport !== "sse") return;
      this.#settings = { ...this.#settings, isShared: false };
      this.#follow();
    }
    #startPolling(isAnswered = false) {
      this.#timers.clear("first");
      if (this.polling && this.#transport !== "sse") this.#poller.start(isAnswered);
    }
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
    async #pollInTurn(signal) {
      const { outcome } = await this.#pollOnce(signal);
      const isAnswered = outcome === "applied" || outcome === "unchanged";
      if (signal.aborted) return;
      if (isAnswered) this.#syncLogs();
      this.#enter(isAnswered ? "polling" : "reconnecting");
    }
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
    #expectStream() {
      const restart = () => void (this.#state === "live" && this.#hub?.restart());
      this.#timers.set("catch up", CATCH_UP_MS, restart);
    }
    #goLive() {
      this.#poller.stop();
      if (this.#enter("live")) this.#expectFirst();
    }
    #expectFirst() {
      if (!this.polling || this.#data || this.#timers.isSet("first")) return;
      this.#timers.set("first", QUIET_MS, () => void (this.#data || this.#startPolling()));
    }
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
    #onFailure({ isHopeless, isRefused }) {
      if (this.#state !== "polling" && !this.#enter("reconnecting")) return;
      if (isHopeless || !this.#data) this.#startPolling();
      const isPolled = this.#poller.isRunning || this.#poller.isHeldOff;
      if (isRefused && !isPolled) void this.#pollOnce(this.#stopping.signal);
    }
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
    #update(data) {
      if (this.polling) this.#timers.set("update", this.#interval_ms, () => this.#update(data));
      const settle = this.#settleFirstUpdate;
      void this.#call("onUpdate", data);
      settle();
    }
    #finish(callback, data) {
      this.#shutDown("finished");
      void this.#call(callback, data);
    }
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
    #enter(state) {
      if (state === this.#state) return true;
      const { signal } = this.#stopping;
      this.#state = state;
      this.dispatchEvent(new Event("statechange"));
      return !signal.aborted;
    }
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
  var DEFAULT_INTERVAL_MS2 = 3e3;
  var EXTENDED_EVERY_MS = 3e4;
  var FIRST_LISTED = 100;
  var ProgressListTracker2 = class extends EventTarget {
    #state = "stopped";
    #data = null;
    #onUpdate;
    #signal;
    #timers;
    #poller;
    #query;
    #mayPoll;
    #mayStreamAlone;
    #settings = null;
    #hub = null;
    #limit = FIRST_LISTED;
    #stopping = new AbortController();
    #isExtending = false;
    #withheld = null;
    #listener = { onData: (data) => this.#receive(data), onAlive: () => this.#goLive(), onFailure: (failure) => this.#onFailure(failure) };
    constructor(options = {}) {
      super();
      const { interval = DEFAULT_INTERVAL_MS2, transport = "auto", withCredentials = false, onUpdate, token, signal, EventSource = globalThis.EventSource, fetch: fetch2 = browserFetch, timers = globalThis } = options;
      const baseUrl = absoluteUrl(options.baseUrl ?? ProgressTracker2.baseUrl);
      this.#onUpdate = onUpdate;
      this.#signal = signal;
      this.#timers = new Timers(timers);
      this.#query = queryOf(options);
      this.#mayPoll = transport !== "sse";
      const url = () => `${baseUrl}/api/progress?${this.#query}&limit=${this.#limit}`;
      const access = { url, array: "sessions", fetch: fetch2, withCredentials, timers, token };
      this.#poller = new Poller(access, { poll: (stopped) => this.#pollInTurn(stopped), interval_ms: () => interval > 0 ? interval : DEFAULT_INTERVAL_MS2 });
      const isShared = options.EventSource === void 0 && hasChannels();
      this.#mayStreamAlone = Boolean(options.EventSource) || transport === "sse";
      if (EventSource && transport !== "poll" && (isShared || this.#mayStreamAlone)) {
        const ticketFetch = token === void 0 ? browserFetch : fetch2;
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
      this.#limit = MAX_LISTED2;
      if (this.#state === "live") void this.#extend();
      else this.#poller.pollNow();
    }
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
      this.#hub = Hub.of({ ...settings, isShared, rights: rights ?? "" });
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
    #isCut({ sessions, more }) {
      if (!this.#data) return false;
      return sessions.length < this.#data.sessions.length - 1 || more && !this.#data.more;
    }
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
    #onFailure({ isHopeless, isRefused }) {
      if (this.#state !== "polling" && !this.#enter("reconnecting")) return;
      if (isHopeless || !this.#data) this.#startPolling();
      const isPolled = this.#poller.isRunning || this.#poller.isHeldOff;
      if (isRefused && !isPolled) void this.#pollOnce(this.#stopping.signal);
    }
    async #pollInTurn(stopped) {
      const isAnswered = await this.#pollOnce(stopped);
      if (!stopped.aborted) this.#enter(isAnswered ? "polling" : "reconnecting");
    }
    async #pollOnce(signal) {
      const answer = await this.#poller.request("", signal);
      if (signal.aborted) return false;
      if (answer.outcome === "denied") this.#shutDown("denied");
      if (answer.outcome !== "answered") return false;
      const list = keptList(listOf(answer.data), this.#data);
      if (this.#state !== "live" && list !== this.#data) this.#show(list);
      return true;
    }
    #show(data) {
      this.#timers.clear("first");
      this.#data = data;
      void this.#callOnUpdate(data);
    }
    async #callOnUpdate(data) {
      try {
        await this.#onUpdate?.(data);
      } catch (error) {
        console.error(error);
      }
    }
    #shutDown(state) {
      this.#timers.clearAll();
      this.#hub?.unfollow(this.#query, this.#listener);
      this.#hub = null;
      this.#poller.close();
      this.#stopping.abort();
      this.#stopping = new AbortController();
      this.#enter(state);
    }
    #enter(state) {
      if (state === this.#state) return true;
      const { signal } = this.#stopping;
      this.#state = state;
      this.dispatchEvent(new Event("statechange"));
      return !signal.aborted;
    }
  };
  globalThis.ProgressTracker = ProgressTracker2;
  globalThis.ProgressListTracker = ProgressListTracker2;
  globalThis.checkTimeout = checkTimeout2;
})();
var { ProgressTracker, ProgressListTracker, checkTimeout } = globalThis;
var address = import.meta.webpack ? "" : import.meta.url;
ProgressTracker.baseUrl ||= address?.match(/^(https?:.*)\/web\/index\.js(?:[?#]|$)/)?.[1] ?? "";
var SECOND_MS = 1e3;
var UNITS = [["unit_d", 86400], ["unit_h", 3600], ["unit_min", 60], ["unit_s", 1]];
function unitsOf(ms) {
  const seconds = wholeSeconds(ms);
  const largest = UNITS.findIndex(([, size]) => seconds >= size);
  if (largest < 0) return [["unit_s", 0]];
  let left = seconds;
  return UNITS.slice(largest, largest + 2).flatMap(([unit, size], index) => {
    const count = Math.floor(left / size);
    left %= size;
    return index && !count ? [] : [[unit, count]];
  });
}
function wholeSeconds(ms) {
  return Math.max(0, Math.floor(ms / SECOND_MS));
}
var LIST_TEXTS = { en: { list_title: "Jobs", list_of: "Jobs of {prefix}", list_denied: "You are not allowed to list these jobs", list_column_state: "State", list_column_name: "Job", list_column_progress: "Progress", list_column_created: "Created", list_column_time: "Time", listed_one: "{count} job", listed_other: "{count} jobs", listed_first: "the newest {count}", list_all: "All", list_pending: "Waiting", list_running: "Running", list_error: "Failed", list_completed: "Done", list_cancelled: "Cancelled", list_lost: "Lost", list_step: "step {step} of {total}", list_more: "Show more", list_only_newest: "Only the newest {count} jobs are shown.", list_no_match: "No job matches.", list_none: "No jobs yet.", list_clear: "Show all", list_filter_by: "Show only jobs with {label}", list_unfilter: "Remove the filter {label}", list_filters: "Filters", list_prefix: "id: {prefix}…", list_search: "Search", list_search_hint: "Title, id or label", list_search_ids: "Find ids that begin with “{text}”", list_states: "State", list_pair: "{key}: {value}", list_more_labels: "+{count}", keys_search: "Search", keys_next_job: "Next job", keys_previous_job: "Previous job", news_started: "{name} has started", news_completed: "{name} is done", news_failed: "{name} has failed", news_count_started: "{count} started", news_count_completed: "{count} done", news_count_failed: "{count} failed", start_title: "Start one", start_hint: "Paste this into a terminal, and it appears here:", start_by_hand: "Report one by hand", start_by_hand_hint: "opens the page of a new job, with the commands that move its bar.", open_title: "Open a job", open_hint: "You may not list the jobs of this server. With a job’s id you can open its page.", open_id: "Id of the job", open_go: "Open", token_offer: "A token that may list jobs shows them here:", several_prefixes: "Jobs of" }, ja: { list_title: "ジョブ一覧", list_of: "{prefix} のジョブ", list_denied: "これらのジョブを一覧する権限がありません", list_column_state: "状態", list_column_name: "ジョブ", list_column_progress: "進捗", list_column_created: "作成", list_column_time: "時間", listed_one: "{count} 件", listed_other: "{count} 件", listed_first: "最新の {count} 件", list_all: "すべて", list_pending: "待機中", list_running: "実行中", list_error: "失敗", list_completed: "完了", list_cancelled: "中止", list_lost: "途絶", list_step: "ステップ {step} / {total}", list_more: "さらに表示", list_only_newest: "最新の {count} 件だけを表示しています。", list_no_match: "該当するジョブはありません。", list_none: "ジョブはまだありません。", list_clear: "すべて表示", list_filter_by: "{label} のジョブだけを表示", list_unfilter: "絞り込み {label} を解除", list_filters: "絞り込み", list_prefix: "ID：{prefix}…", list_search: "検索", list_search_hint: "タイトル、ID、ラベル", list_search_ids: "「{text}」で始まる ID を探す", list_states: "状態", list_pair: "{key}：{value}", list_more_labels: "+{count}", keys_search: "検索", keys_next_job: "次のジョブ", keys_previous_job: "前のジョブ", news_started: "{name} が始まりました", news_completed: "{name} が完了しました", news_failed: "{name} が失敗しました", news_count_started: "{count} 件開始", news_count_completed: "{count} 件完了", news_count_failed: "{count} 件失敗", start_title: "始める", start_hint: "ターミナルに貼り付けると、ここに表示されます。", start_by_hand: "手動で報告する", start_by_hand_hint: "新しいジョブのページと、そのバーを動かすコマンドを開きます。", open_title: "ジョブを開く", open_hint: "このサーバーのジョブを一覧する権限がありません。ジョブの ID があればページを開けます。", open_id: "ジョブの ID", open_go: "開く", token_offer: "ジョブを一覧できるトークンがあれば、ここに表示されます。", several_prefixes: "表示するジョブ" } };
var TEXTS = { en: { ...LIST_TEXTS.en, session: "Session", progress: "Progress of the job", progress_of: "Progress of {name}", all_jobs: "All jobs", copy_link: "Copy link", link_copied: "Link copied", labels: "Labels", label: "{name}: {value}", started: "started {time}", running_for: "running for {duration}", took: "took {duration}", connecting: "Connecting", denied: "You are not allowed to see this job", token_needed: "You need a token to see this. Paste it here:", token_refused: "This token does not let you see this, or it has expired.", token_not_sent: "The server did not answer. Try again.", token_insecure: "The token was not sent: without HTTPS others could read it.", link_expired: "This link has expired, or is not valid. Ask for a new one.", enter: "Show", not_found: "Waiting for the job to start", pending: "About to start", deleted: "This job was deleted", running: "Step {step} of {total}: {name}", running_open: "Step {step}: {name}", completed: "Completed", completed_in: "Completed in {duration}", error: "Failed at step {step}", error_whole: "Failed", cancelled: "Cancelled at step {step}", cancelled_whole: "Cancelled", cancelled_by_you: "Cancelled by you", cancelled_by_you_after: "Cancelled by you after {done} of {total}", lost: "Lost at step {step}", lost_whole: "Lost", soon: "This page moves by itself as soon as a worker reports.", restart: "If it is started again, this page follows it.", counted_one: "{done} of {total} step done", counted_other: "{done} of {total} steps done", counted_open_one: "{done} of {total} step done so far", counted_open_other: "{done} of {total} steps done so far", counted_none: "No steps", jobs_one: "{count} job", jobs_other: "{count} jobs", time_left: "{time} left", about: "about {duration}", range: "{from}–{to}", usually_left: "usually {time} left", usually_within: "usually less than {duration} left", done_about: "done about {time}", moments: "a few seconds", longer_than_usual: "taking longer than usual", longer_than_expected: "taking longer than expected", silent: "no update for {duration}", quiet: "worker alive, nothing new for {duration}", stalled: "no sign of life since {time}", stalled_step: "step {step}: no sign of life since {time}", retried: "Step {step} is being tried again", set_back: "Step {step} is being tried again, so the bar went back", over_limit: "over its limit of {limit}", retry: "Retry", retry_asked: "Retry requested", retry_seen: "The worker is about to try again", retry_declined: "The worker declined to try again", retry_declined_why: "The worker declined to try again: {message}", cancel: "Cancel", cancel_question: "Cancel {name}?", cancel_hint: "It may take a moment until the worker stops.", cancel_confirm: "Cancel the job", cancel_not: "Keep it running", cancel_asked: "Cancellation requested", cancel_asked_why: "Cancellation requested: {reason}", cancel_unheard: "Cancellation requested, but nobody is listening", cancel_seen: "The worker is stopping", cancel_declined: "The worker declined to stop", cancel_declined_why: "The worker declined to stop: {message}", cancel_too_late: "Too late to cancel, it had finished", cancel_too_late_failed: "Too late to cancel, it had failed", worker_says: "The worker says: {message}", sending: "Sending…", request_denied: "You are not allowed to ask this of the worker", request_unanswered: "The server did not answer. Try again.", timeline: "Timeline", column_step: "Step", column_state: "State", column_started: "Started", column_took: "Took", column_usual: "Usually", column_expected: "Expected", usual: "usual duration", expected: "expected duration", timeline_hint: "Arrow keys go from step to step", timeline_span: "{from}–{to}", timeline_since: "since {from}", timeline_usual: "usually {duration}", timeline_expected: "expected {duration}", recent: "Recent", notify: "Notify me when it ends", notify_on: "You will be notified", notify_denied: "Notifications are blocked in this browser", step_pending: "waiting", step_running: "running", step_success: "done", step_error: "failed", step_skipped: "skipped", step_cancelled: "cancelled", step_lost: "lost", step_stalled: "stalled", attempt: "attempt {attempt}", steps: "Steps", fold_done_one: "{count} step done", fold_done_other: "{count} steps done", fold_waiting_one: "{count} step waiting", fold_waiting_other: "{count} steps waiting", jump_running: "Jump to running", jump_failed: "Jump to failed", jump_cancelled: "Jump to cancelled", show_all: "Show all steps", show_fewer: "Show fewer", show_more: "Show more", show_less: "Show less", parts_done: "{done} of {total} done", parts_so_far: "{done} of {total} done so far", parts_failed: "{count} failed", parts_list: "List of parts", parts_all: "Show all {count}", part: "{part}: {text}", separator: ", ", unit_d: "{count} d", unit_h: "{count} h", unit_min: "{count} min", unit_s: "{count} s", failure: "Step {step}, {name}, failed", failure_cancelled: "Step {step}, {name}, was cancelled", failure_lost: "Step {step}, {name}, was lost", failure_whole: "The job failed", failure_cancelled_whole: "The job was cancelled", failure_lost_whole: "The job was lost", links: "Links", milestone: "{percentage} percent", announcement: "{name}: {text}", connection_connecting: "connecting", connection_live: "live", connection_reconnecting: "reconnecting", connection_polling: "updating every {seconds} s", connection_offline: "offline", connection_finished: "finished", connection_denied: "no access", connection_stopped: "stopped", commands: "Move this bar from your terminal", token: "Workers need a token here: set PROGRESS_SSE_TOKEN first.", start: "Start step {step}", complete: "Complete step {step}", copy: "Copy", copied: "Copied", copy_failed: "Select it and press Ctrl+C", log: "Log", log_session: "Log of the job", log_step: "Log of step {step}, {name}", log_search: "Search", log_found_one: "{count} line found", log_found_other: "{count} lines found", log_follow: "To the end", log_download: "Download", log_empty: "No lines.", log_of_steps: "Lines of a step are under the step.", log_missed_one: "… {count} line not kept", log_missed_other: "… {count} lines not kept", level_debug: "debug", level_warning: "warning", level_error: "error", theme: "Theme", theme_light: "Light", theme_system: "As the system", theme_dark: "Dark", keys: "Keyboard", keys_next: "Next step", keys_previous: "Previous step", keys_failed: "Next failed or cancelled step", keys_log: "Open or close the log", keys_link: "Copy the link of this page", keys_help: "Show this help", keys_on: "Use these keys", close: "Close" }, ja: { ...LIST_TEXTS.ja, session: "セッション", progress: "ジョブの進捗", progress_of: "{name} の進捗", all_jobs: "ジョブ一覧", copy_link: "リンクをコピー", link_copied: "リンクをコピーしました", labels: "ラベル", label: "{name}：{value}", started: "{time} 開始", running_for: "{duration}経過", took: "所要時間 {duration}", connecting: "接続しています", denied: "このジョブを表示する権限がありません", token_needed: "表示するにはトークンが必要です。ここに貼り付けてください。", token_refused: "このトークンでは表示できないか、有効期限が切れています。", token_not_sent: "サーバーから応答がありません。もう一度お試しください。", token_insecure: "トークンは送信されませんでした。HTTPS でないと他人に読まれるおそれがあります。", link_expired: "このリンクは無効か、有効期限が切れています。新しいリンクを受け取ってください。", enter: "表示", not_found: "ジョブの開始を待っています", pending: "まもなく開始します", deleted: "このジョブは削除されました", running: "ステップ {step} / {total}「{name}」", running_open: "ステップ {step}「{name}」", completed: "完了しました", completed_in: "{duration}で完了しました", error: "ステップ {step} で失敗しました", error_whole: "失敗しました", cancelled: "ステップ {step} で中止されました", cancelled_whole: "中止されました", cancelled_by_you: "あなたが中止しました", cancelled_by_you_after: "{total} ステップ中 {done} 完了後、あなたが中止しました", lost: "ステップ {step} で途絶えました", lost_whole: "途絶えました", soon: "ワーカーから報告があると、このページは自動で動きます。", restart: "もう一度開始されると、このページは自動で追いかけます。", counted_one: "{total} ステップ中 {done} 完了", counted_other: "{total} ステップ中 {done} 完了", counted_open_one: "これまでの {total} ステップ中 {done} 完了", counted_open_other: "これまでの {total} ステップ中 {done} 完了", counted_none: "ステップはありません", jobs_one: "{count} 件のジョブ", jobs_other: "{count} 件のジョブ", time_left: "残り{time}", about: "約 {duration}", range: "{from}～{to}", usually_left: "通常、残り{time}", usually_within: "通常、残り{duration}以内", done_about: "{time}頃に完了", moments: "数秒", longer_than_usual: "通常より時間がかかっています", longer_than_expected: "予定より時間がかかっています", silent: "{duration}間、更新がありません", quiet: "ワーカーは稼働中ですが、{duration}間、新しい報告がありません", stalled: "{time} 以降、ワーカーの応答がありません", stalled_step: "ステップ {step}：{time} 以降、ワーカーの応答がありません", retried: "ステップ {step} を再試行しています", set_back: "ステップ {step} を再試行しているため、バーが戻りました", over_limit: "制限時間 {limit}を超過", retry: "再試行", retry_asked: "再試行を依頼しました", retry_seen: "ワーカーがまもなく再試行します", retry_declined: "ワーカーは再試行を断りました", retry_declined_why: "ワーカーは再試行を断りました：{message}", cancel: "中止", cancel_question: "{name} を中止しますか？", cancel_hint: "ワーカーが停止するまで少し時間がかかることがあります。", cancel_confirm: "ジョブを中止する", cancel_not: "続ける", cancel_asked: "中止を依頼しました", cancel_asked_why: "中止を依頼しました：{reason}", cancel_unheard: "中止を依頼しましたが、応答するワーカーがいません", cancel_seen: "ワーカーが停止しています", cancel_declined: "ワーカーは停止を断りました", cancel_declined_why: "ワーカーは停止を断りました：{message}", cancel_too_late: "中止は間に合わず、すでに完了していました", cancel_too_late_failed: "中止は間に合わず、すでに失敗していました", worker_says: "ワーカーより：{message}", sending: "送信中…", request_denied: "ワーカーに依頼する権限がありません", request_unanswered: "サーバーから応答がありません。もう一度お試しください。", timeline: "タイムライン", column_step: "ステップ", column_state: "状態", column_started: "開始", column_took: "所要時間", column_usual: "通常", column_expected: "予定", usual: "通常の所要時間", expected: "予定の所要時間", timeline_hint: "矢印キーでステップを移動できます", timeline_span: "{from}～{to}", timeline_since: "{from} から", timeline_usual: "通常 {duration}", timeline_expected: "予定 {duration}", recent: "最近のセッション", notify: "終わったら通知する", notify_on: "終わったら通知します", notify_denied: "このブラウザーでは通知が許可されていません", step_pending: "待機中", step_running: "実行中", step_success: "完了", step_error: "失敗", step_skipped: "スキップ", step_cancelled: "中止", step_lost: "途絶", step_stalled: "応答なし", attempt: "{attempt} 回目", steps: "ステップ", fold_done_one: "{count} ステップ完了", fold_done_other: "{count} ステップ完了", fold_waiting_one: "{count} ステップ待機中", fold_waiting_other: "{count} ステップ待機中", jump_running: "実行中へ移動", jump_failed: "失敗へ移動", jump_cancelled: "中止へ移動", show_all: "すべてのステップを表示", show_fewer: "折りたたむ", show_more: "さらに表示", show_less: "閉じる", parts_done: "{total} 件中 {done} 件完了", parts_so_far: "これまでの {total} 件中 {done} 件完了", parts_failed: "{count} 件失敗", parts_list: "パートの一覧", parts_all: "全 {count} 件を表示", part: "{part}：{text}", separator: "、", unit_d: "{count} 日", unit_h: "{count} 時間", unit_min: "{count} 分", unit_s: "{count} 秒", failure: "ステップ {step}「{name}」が失敗しました", failure_cancelled: "ステップ {step}「{name}」は中止されました", failure_lost: "ステップ {step}「{name}」が途絶えました", failure_whole: "ジョブが失敗しました", failure_cancelled_whole: "ジョブは中止されました", failure_lost_whole: "ジョブが途絶えました", links: "リンク", milestone: "{percentage} パーセント", announcement: "{name}、{text}", connection_connecting: "接続中", connection_live: "ライブ", connection_reconnecting: "再接続中", connection_polling: "{seconds} 秒ごとに更新", connection_offline: "オフライン", connection_finished: "終了", connection_denied: "権限なし", connection_stopped: "停止", commands: "ターミナルからこのバーを動かす", token: "送信にはトークンが必要です。先に PROGRESS_SSE_TOKEN を設定してください。", start: "ステップ {step} を開始", complete: "ステップ {step} を完了", copy: "コピー", copied: "コピーしました", copy_failed: "選択して Ctrl+C でコピー", log: "ログ", log_session: "ジョブのログ", log_step: "ステップ {step}「{name}」のログ", log_search: "検索", log_found_one: "{count} 行が見つかりました", log_found_other: "{count} 行が見つかりました", log_follow: "末尾へ", log_download: "ダウンロード", log_empty: "ログはありません。", log_of_steps: "各ステップのログは、ステップの下にあります。", log_missed_one: "… {count} 行は保存されていません", log_missed_other: "… {count} 行は保存されていません", level_debug: "デバッグ", level_warning: "警告", level_error: "エラー", theme: "テーマ", theme_light: "ライト", theme_system: "システムに合わせる", theme_dark: "ダーク", keys: "キーボード操作", keys_next: "次のステップ", keys_previous: "前のステップ", keys_failed: "次の失敗・中止したステップ", keys_log: "ログを開く・閉じる", keys_link: "このページのリンクをコピー", keys_help: "このヘルプを表示", keys_on: "これらのキーを使う", close: "閉じる" } };
function languageFor(preferred) {
  const known = preferred.map((tag) => tag.split("-")[0]).find((language2) => language2 === "ja" || language2 === "en");
  return known === "ja" ? "ja" : "en";
}
function partsOf(text) {
  return text.split(/(\{\w+\})/).filter(Boolean).map((part) => /^\{\w+\}$/.test(part) ? { name: part.slice(1, -1) } : part);
}
var SECOND_MS2 = 1e3;
var MINUTE_MS = 60 * SECOND_MS2;
var HALF_DAY_MS = 12 * 60 * MINUTE_MS;
var HOURS = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
var Language = class {
  #numbers;
  #plurals;
  #times;
  #hours;
  #days;
  constructor(tag) {
    this.tag = tag;
    this.texts = TEXTS[tag];
    this.#numbers = new Intl.NumberFormat(tag);
    this.#plurals = new Intl.PluralRules(tag);
    this.#times = new Intl.DateTimeFormat(tag, { ...HOURS, second: "2-digit" });
    this.#hours = new Intl.DateTimeFormat(tag, HOURS);
    this.#days = new Intl.DateTimeFormat(tag, { month: "short", day: "numeric", ...HOURS });
  }
  parts(key, values = {}) {
    return partsOf(this.texts[key]).map((part) => {
      if (typeof part === "string") return part;
      return { value: this.#written(values[part.name] ?? "") };
    });
  }
  #written(value) {
    if (typeof value === "number") return this.number(value);
    return typeof value === "string" ? value : this.duration(value.duration_ms);
  }
  text(key, values) {
    return this.parts(key, values).map((part) => typeof part === "string" ? part : part.value).join("");
  }
  plural(key, count) {
    return this.#plurals.select(count) === "one" ? `${key}_one` : `${key}_other`;
  }
  number(value) {
    return this.#numbers.format(value);
  }
  duration(ms) {
    return unitsOf(ms).map(([unit, count]) => this.text(unit, { count })).join(" ");
  }
  counted({ current, total }) {
    return this.number(current) + (total === null ? "" : ` / ${this.number(total)}`);
  }
  joined(texts) {
    return texts.join(this.texts.separator);
  }
  time(time_ms) {
    return this.#times.format(time_ms);
  }
  moment(time_ms, now_ms) {
    return (Math.abs(now_ms - time_ms) < HALF_DAY_MS ? this.#hours : this.#days).format(time_ms);
  }
  roughly(ms) {
    if (ms < 10 * SECOND_MS2) return this.text("moments");
    if (ms <= 50 * SECOND_MS2) return this.#about(ms, 10 * SECOND_MS2);
    return this.#about(Math.max(ms, MINUTE_MS), MINUTE_MS);
  }
  #about(ms, grain_ms) {
    return this.text("about", { duration: this.duration(Math.round(ms / grain_ms) * grain_ms) });
  }
};
var NO_FILTER = { prefix: "", labels: {}, status: "", text: "" };
var STATUSES = ["running", "pending", "error", "completed"];
var searched = /* @__PURE__ */ new WeakMap();
function searchedText(session) {
  const known = searched.get(session);
  if (known !== void 0) return known;
  const labels = Object.entries(session.labels ?? {}).map((pair) => pair.join(":"));
  const text = [session.title ?? "", session.session_id, ...labels].join("\n").toLowerCase();
  searched.set(session, text);
  return text;
}
function matchesBesideStatus(session, { prefix, labels, text }) {
  return session.session_id.startsWith(prefix) && Object.entries(labels).every(([key, value]) => session.labels?.[key] === value) && (!text || searchedText(session).includes(text.toLowerCase()));
}
function matches(session, filter) {
  return (!filter.status || session.status === filter.status) && matchesBesideStatus(session, filter);
}
function countsOf(sessions, filter) {
  const counts = { all: 0, running: 0, pending: 0, error: 0, completed: 0 };
  for (const session of sessions) {
    if (!matchesBesideStatus(session, filter)) continue;
    counts.all += 1;
    counts[session.status] += 1;
  }
  return counts;
}
function filterOf(search) {
  const query = new URLSearchParams(search);
  return { prefix: query.get("prefix") ?? "", labels: labelsIn(query.getAll("label")), status: STATUSES.find((status) => status === query.get("status")) ?? "", text: query.get("q") ?? "" };
}
function labelsIn(texts) {
  const pairs = texts.map((text) => /^([^:]+):(.*)$/su.exec(text) ?? []);
  return Object.fromEntries(pairs.flatMap(([, key, value]) => key && value !== void 0 ? [[key, value]] : []));
}
function searchOf({ prefix, labels, status, text }) {
  const query = new URLSearchParams();
  if (prefix) query.set("prefix", prefix);
  for (const pair of Object.entries(labels)) query.append("label", pair.join(":"));
  if (status) query.set("status", status);
  if (text) query.set("q", text);
  const search = query.toString();
  return search && `?${search}`;
}
var DISC = "M8 1.25a6.75 6.75 0 1 0 0 13.5a6.75 6.75 0 1 0 0-13.5z";
var RING = "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12z";
var TRIANGLE = "M8 2.25L14.5 13.5H1.5z";
var DRAWINGS = { absent: { lines: "M8 2a6 6 0 0 1 3 .8M13.2 5a6 6 0 0 1 .3 5.4M11 13.2a6 6 0 0 1-6 0M2.5 10.4A6 6 0 0 1 2.8 5M5 2.8A6 6 0 0 1 8 2" }, pending: { lines: `${RING}M8 5v3.25l2.25 1.5` }, running: { faint: RING, lines: "M8 2a6 6 0 0 1 6 6" }, success: { solid: DISC, lines: "M5 8.25l2.1 2.1L11 6.2", isInverse: true }, error: { solid: DISC, lines: "M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5", isInverse: true }, skipped: { lines: `${RING}M5.25 5.75L7.5 8l-2.25 2.25M8.5 5.75L10.75 8 8.5 10.25` }, cancelled: { solid: DISC, lines: "M5.25 8h5.5", isInverse: true }, lost: { lines: `${RING}M6.5 6.4a1.6 1.6 0 1 1 2.3 1.4c-.5.3-.8.6-.8 1.2M8 11v.01` }, stalled: { lines: `${TRIANGLE}M8 6.5v3M8 11.4v.01` }, denied: { lines: "M3.5 7.25h9v6.25h-9zM5.5 7.25V5a2.5 2.5 0 0 1 5 0v2.25" }, deleted: { lines: "M3 4.5h10M6.5 4.5V2.75h3V4.5M4.25 4.5l.6 8.75h6.3l.6-8.75M6.75 7.25v3.5M9.25 7.25v3.5" }, again: { lines: "M13 8a5 5 0 1 1-1.6-3.7M11.75 1.75v2.75H9" }, alive: { lines: "M1.5 8.5h3L6.5 4l3 8 2-3.5h3" }, chevron: { lines: "M6 3.75L10.25 8 6 12.25" }, back: { lines: "M10 3.75L5.75 8 10 12.25" }, link: { lines: "M6.75 9.25a2.75 2.75 0 0 0 3.9 0l2.2-2.2a2.75 2.75 0 0 0-3.9-3.9l-1 1M9.25 6.75a2.75 2.75 0 0 0-3.9 0l-2.2 2.2a2.75 2.75 0 0 0 3.9 3.9l1-1" }, out: { lines: "M6.25 3.5H3.5v9h9V9.75M9.5 2.75h3.75V6.5M13 3L7.75 8.25" }, check: { lines: "M3 8.5l3.25 3.25L13 5" }, light: { lines: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6zM8 1v1.25M8 13.75V15M1 8h1.25M13.75 8H15M3.05 3.05l.9.9M12.05 12.05l.9.9M3.05 12.95l.9-.9M12.05 3.95l.9-.9" }, dark: { lines: "M13.5 9.75A6 6 0 0 1 6.25 2.5a6 6 0 1 0 7.25 7.25z" }, system: { lines: "M2 3h12v8H2zM6 14h4M8 11v3" }, keyboard: { lines: "M1.5 4h13v8h-13zM4 6.5v.01M6.7 6.5v.01M9.3 6.5v.01M12 6.5v.01M4.5 9.5h7" } };
function icon(name) {
  const { solid, lines, faint, isInverse } = DRAWINGS[name];
  const paths = [...solid ? [makeSvg("path", { class: "icon-solid", d: solid })] : [], ...faint ? [makeSvg("path", { class: "icon-faint", d: faint })] : [], ...lines ? [makeSvg("path", { class: isInverse ? "icon-inverse" : "icon-lines", d: lines })] : []];
  return makeSvg("svg", { class: `drawing drawing-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, ...paths);
}
function iconOf(status, { conclusion, isStalled: isStalled2 = false, isDeleted = false } = {}) {
  if (isDeleted) return "deleted";
  if (status === "not_found" || status === "connecting") return "absent";
  if (status === "running" && isStalled2) return "stalled";
  if (conclusion === "skipped" || conclusion === "cancelled" || conclusion === "lost") return conclusion;
  return status === "completed" ? "success" : status;
}
var HelpDialog = class {
  element = make("dialog", "dialog");
  button = makeButton("help", "");
  #language;
  constructor(language2) {
    this.#language = language2;
    this.button.append(icon("keyboard"), make("span", "visually-hidden", language2.text("keys")));
    this.button.title = `${language2.text("keys")} (?)`;
    this.button.addEventListener("click", () => this.open());
  }
  open() {
    if (!this.element.open) this.element.showModal();
  }
  list(shortcuts) {
    const title = make("h2", "", this.#language.text("keys"));
    title.id = "keys-title";
    this.element.setAttribute("aria-labelledby", title.id);
    const rows = shortcuts.shortcuts.flatMap(({ key, text }) => [make("dt", "", make("kbd", "", key)), make("dd", "", this.#language.text(text))]);
    const close = makeButton("close", this.#language.text("close"));
    close.addEventListener("click", () => this.element.close());
    this.element.append(title, make("dl", "keys", ...rows), this.#switch(shortcuts), make("p", "actions", close));
  }
  #switch(shortcuts) {
    const box = make("input");
    Object.assign(box, { type: "checkbox", checked: shortcuts.isOn });
    box.addEventListener("change", () => {
      shortcuts.isOn = box.checked;
    });
    return make("label", "keys-switch", box, " ", this.#language.text("keys_on"));
  }
};
var KEY = "progress-sse:recent";
var KEPT = 8;
var RecentSessions = class {
  #storage;
  constructor(storage) {
    this.#storage = storage;
  }
  list() {
    try {
      const kept = JSON.parse(this.#storage().getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((id) => typeof id === "string").slice(0, KEPT) : [];
    } catch {
      return [];
    }
  }
  add(sessionId) {
    const kept = [sessionId, ...this.list().filter((id) => id !== sessionId)].slice(0, KEPT);
    try {
      this.#storage().setItem(KEY, JSON.stringify(kept));
    } catch {
    }
  }
};
var KEY2 = "progress-sse:keys";
var OFF = "off";
var WRITTEN = "input:not([type=radio], [type=checkbox]), textarea, select, dialog";
var Shortcuts = class {
  shortcuts;
  #storage;
  #isOn;
  constructor(shortcuts, storage = () => localStorage) {
    this.shortcuts = shortcuts;
    this.#storage = storage;
    this.#isOn = this.#remembered();
  }
  get isOn() {
    return this.#isOn;
  }
  set isOn(value) {
    this.#isOn = value;
    try {
      if (value) this.#storage().removeItem(KEY2);
      else this.#storage().setItem(KEY2, OFF);
    } catch {
    }
  }
  #remembered() {
    try {
      return this.#storage().getItem(KEY2) !== OFF;
    } catch {
      return true;
    }
  }
  press(event) {
    if (!this.#isOn || event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || isWriting(event.composedPath()[0])) return;
    const shortcut = this.shortcuts.find(({ key }) => key === event.key);
    if (!shortcut) return;
    event.preventDefault();
    if (!event.repeat || shortcut.repeats) shortcut.run();
  }
};
function isWriting(target) {
  if (!target || !("closest" in target)) return false;
  const element2 = target;
  return element2.isContentEditable || element2.closest(WRITTEN) !== null;
}
var KEY3 = "progress-sse:theme";
var THEMES = ["light", "system", "dark"];
function rememberedTheme(storage) {
  try {
    const kept = storage().getItem(KEY3);
    return THEMES.find((theme) => theme === kept) ?? "system";
  } catch {
    return "system";
  }
}
function choose(theme, storage) {
  document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") storage().removeItem(KEY3);
    else storage().setItem(KEY3, theme);
  } catch {
  }
}
function themeSwitch(texts, storage = () => localStorage) {
  const remembered = rememberedTheme(storage);
  document.documentElement.dataset.theme = remembered;
  const group = make("fieldset", "theme", make("legend", "visually-hidden", texts.theme));
  for (const theme of THEMES) {
    const input = make("input", "visually-hidden");
    Object.assign(input, { type: "radio", name: "theme", value: theme, checked: theme === remembered });
    input.addEventListener("change", () => choose(theme, storage));
    const name = texts[`theme_${theme}`];
    const label = make("label", "theme-choice", input, icon(theme), make("span", "visually-hidden", name));
    label.title = name;
    group.append(label);
  }
  return group;
}
var DEADLINE_MS = 1e4;
var TokenForm = class {
  isUsed;
  #form = element("entrance");
  #field = element("entrance-token");
  #note = element("entrance-note");
  #texts;
  #onAccepted;
  #wasAccepted = false;
  constructor(texts, onAccepted, isUsed = isReadByToken()) {
    this.isUsed = isUsed;
    this.#texts = texts;
    this.#onAccepted = onAccepted;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit(this.#field.value.trim());
    });
  }
  ask() {
    if (this.isUsed && this.#form.hidden) this.#show(this.#wasAccepted ? this.#texts.token_refused : "");
  }
  async #submit(token) {
    if (!isSecureContext) {
      this.#show(this.#texts.token_insecure);
      return;
    }
    const status = await postToken("api/cookie", token);
    this.#wasAccepted = status === 204;
    if (!this.#wasAccepted) {
      this.#show([401, 403].includes(status) ? this.#texts.token_refused : this.#texts.token_not_sent);
      return;
    }
    this.#field.value = "";
    this.#form.hidden = true;
    this.#onAccepted();
  }
  #show(note) {
    this.#form.hidden = false;
    this.#note.textContent = note;
  }
};
function isReadByToken() {
  return document.querySelector('meta[name="progress-read"]')?.getAttribute("content") === "token";
}
async function postToken(path, token) {
  if (!/^[!-~]+$/.test(token)) return 401;
  const init = { method: "POST", headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(DEADLINE_MS) };
  return fetch(path, init).then(({ status }) => status, () => 0);
}
var INTERVAL_MS = 1e4;
var Announcer = class {
  #region;
  #waiting = /* @__PURE__ */ new Map();
  #pause;
  constructor(region) {
    this.#region = region;
  }
  say(text, subject = "") {
    this.#waiting.delete(subject);
    this.#waiting.set(subject, text);
    if (!this.#pause) this.#announce();
  }
  stop() {
    clearTimeout(this.#pause);
    this.#pause = void 0;
    this.#waiting.clear();
  }
  #announce() {
    this.#pause = void 0;
    if (!this.#waiting.size) return;
    this.#region.textContent = [...this.#waiting.values()].join(". ");
    this.#waiting.clear();
    this.#pause = setTimeout(() => this.#announce(), INTERVAL_MS);
  }
};
var SHOWN_AFTER_MS = 2e3;
var ConnectionBadge = class {
  element = make("p", "connection");
  #language;
  #root;
  #delay;
  constructor(language2, root) {
    this.#language = language2;
    this.#root = root;
    this.#root.dataset.connection = "connecting";
    this.element.hidden = true;
  }
  update(state, interval_ms) {
    clearTimeout(this.#delay);
    const isInterrupted = state === "connecting" || state === "reconnecting";
    if (isInterrupted && navigator.onLine) {
      this.#delay = setTimeout(() => this.#show(state, interval_ms), SHOWN_AFTER_MS);
    } else {
      this.#show(isInterrupted ? "offline" : state, interval_ms);
    }
  }
  stop() {
    clearTimeout(this.#delay);
  }
  #show(connection, interval_ms) {
    setText(this.element, this.#language.text(`connection_${connection}`, { seconds: interval_ms / 1e3 }));
    this.element.hidden = false;
    this.#root.dataset.connection = connection;
  }
};
var ListChips = class {
  element = make("ul", "list-filters");
  #language;
  #choose;
  constructor(language2, choose2) {
    this.#language = language2;
    this.#choose = choose2;
    this.element.setAttribute("role", "list");
    this.element.ariaLabel = language2.text("list_filters");
    this.element.hidden = true;
  }
  show(filter) {
    const { prefix, labels } = filter;
    const chips = Object.entries(labels).map(([key, value]) => {
      const { [key]: _, ...others } = labels;
      return this.#chip(this.#language.text("list_pair", { key, value }), { ...filter, labels: others });
    });
    if (prefix) chips.unshift(this.#chip(this.#language.text("list_prefix", { prefix }), { ...filter, prefix: "" }));
    this.element.replaceChildren(...chips);
    this.element.hidden = !chips.length;
  }
  #chip(text, without) {
    const chip = make("button", "chip chosen", isolated(text), make("span", "chip-remove", "×"));
    chip.type = "button";
    chip.ariaLabel = this.#language.text("list_unfilter", { label: text });
    chip.addEventListener("click", () => this.#choose(without));
    return make("li", "", chip);
  }
};
function runningSteps({ steps }) {
  return steps.flatMap((step) => step.status === "running" ? [step] : []);
}
function hasStalledStep({ steps }) {
  return steps.some(isStalled);
}
function isStalled(step) {
  return step.status === "running" && step.liveness?.state === "stalled";
}
var NOTHING_KNOWN = { own: [], learned: /* @__PURE__ */ new Map() };
function usual_ms(step, learned) {
  return learned.get(step.name) ?? step.estimated_ms ?? NaN;
}
function expected_ms(step, { time }, learned) {
  return time?.basis === "history" && !learned.size ? NaN : usual_ms(step, learned);
}
function waiting_ms(data, learned) {
  const waiting = data.steps.filter(({ status }) => status === "pending");
  return waiting.reduce((sum, step) => sum + (expected_ms(step, data, learned) || 0), 0);
}
var MOST_BEFORE_THE_END = 99;
function percentageOf(data) {
  if (data.status === "completed") return 100;
  return Math.min(MOST_BEFORE_THE_END, data.time?.percentage ?? percentageBySteps(data));
}
function percentageBySteps({ steps, percentage }) {
  if (!steps.some(({ status }) => status === "error")) return percentage;
  let [sum, unit] = [0n, 1n];
  for (const step of steps) {
    const { current, total } = step.status === "running" && step.progress || { current: 0, total: null };
    if (step.status === "success") sum += unit;
    if (total) [sum, unit] = [sum * BigInt(total) + unit * BigInt(current), unit * BigInt(total)];
  }
  return Number(100n * sum / (unit * BigInt(steps.length)));
}
function isMoving(data) {
  return data.status === "running" && Boolean(data.time?.finish_at) && !hasStalledStep(data);
}
function moved(known, data, learned, reported_ms, now_ms) {
  if (!isMoving(data)) return known;
  const end_ms = Date.parse(data.time?.finish_at?.p50 ?? "");
  const passed_ms = Math.min(now_ms, end_ms - waiting_ms(data, learned)) - reported_ms;
  if (!(passed_ms > 0)) return known;
  const byNow = known + (100 - known) * passed_ms / (end_ms - reported_ms);
  return Math.max(known, Math.min(MOST_BEFORE_THE_END, byNow));
}
var MIN_GRACE_MS = 2e3;
var GRACE_PART = 20;
var grace_ms = (whole_ms) => Math.max(MIN_GRACE_MS, whole_ms / GRACE_PART);
function leftByTime(data, learned, begin_ms, now_ms) {
  const finishAt = data.time?.finish_at;
  if (!finishAt || hasStalledStep(data)) return null;
  const end_ms = Date.parse(finishAt.p90);
  const [p50_ms, p90_ms] = [Date.parse(finishAt.p50) - now_ms, end_ms - now_ms];
  const least_ms = waiting_ms(data, learned);
  if (p90_ms + grace_ms(end_ms - begin_ms) < (runningSteps(data).length ? least_ms : 0)) {
    return data.time?.basis === "history" ? "longer_than_usual" : "longer_than_expected";
  }
  return { p50_ms: Math.max(p50_ms, least_ms), p90_ms: Math.max(p90_ms, least_ms) };
}
var SECOND_MS3 = 1e3;
var MINUTE_MS2 = 60 * SECOND_MS3;
var CLOCK_GRAIN_MS = 10 * MINUTE_MS2;
var LONG_MS = 59 * MINUTE_MS2;
var MAX_APART = 0.2;
var TOO_LONG_MS = 300 * 24 * 60 * MINUTE_MS2;
function timeWords(left, now_ms, language2) {
  if (left === null) return "";
  if (typeof left === "string") return language2.text(left);
  const { p50_ms, p90_ms } = left;
  if (p90_ms >= TOO_LONG_MS) return "";
  if (p90_ms >= LONG_MS) return clockWords(left, now_ms, language2);
  const grain_ms = p90_ms <= 50 * SECOND_MS3 ? 10 * SECOND_MS3 : MINUTE_MS2;
  const [low, high] = [Math.round(p50_ms / grain_ms), Math.ceil(p90_ms / grain_ms)];
  const areNear = p90_ms <= (1 + MAX_APART) * p50_ms || low === high || low === Math.round(p90_ms / grain_ms);
  if (areNear || p90_ms < grain_ms) {
    return language2.text("time_left", { time: language2.roughly(p90_ms) });
  }
  const duration = language2.duration(high * grain_ms);
  if (low === 0) return language2.text("usually_within", { duration });
  const unit_ms = grain_ms < MINUTE_MS2 ? SECOND_MS3 : MINUTE_MS2;
  const from = language2.number(low * grain_ms / unit_ms);
  return language2.text("usually_left", { time: language2.text("range", { from, to: duration }) });
}
function clockWords({ p50_ms, p90_ms }, now_ms, language2) {
  const from_ms = Math.round((now_ms + p50_ms) / CLOCK_GRAIN_MS) * CLOCK_GRAIN_MS;
  const to_ms = p50_ms === p90_ms ? from_ms : Math.ceil((now_ms + p90_ms) / CLOCK_GRAIN_MS) * CLOCK_GRAIN_MS;
  const from = language2.moment(from_ms, now_ms);
  const to = language2.moment(to_ms, now_ms);
  const time = from === to ? from : language2.text("range", { from, to });
  return language2.text("done_about", { time });
}
function lookOf({ status, conclusion }) {
  return status === "error" && conclusion || status;
}
function nameOf({ title, session_id }) {
  return title || session_id;
}
function created_ms({ created_at }) {
  return Date.parse(created_at);
}
function isTicking({ status }) {
  return status === "running";
}
function percentageAt(session, now_ms) {
  const data = { ...session, steps: [] };
  return Math.floor(moved(percentageOf(data), data, NOTHING_KNOWN.learned, Date.parse(session.updated_at), now_ms));
}
function stepWords({ status, current_step, total_steps }, language2) {
  if (status === "completed" || !current_step || total_steps < 2) return "";
  return language2.text("list_step", { step: current_step, total: total_steps });
}
function timeLeftWords(session, now_ms, language2) {
  if (session.status !== "running") return "";
  const left = leftByTime({ ...session, steps: [] }, NOTHING_KNOWN.learned, created_ms(session), now_ms);
  return timeWords(left, now_ms, language2);
}
var KINDS = ["failed", "completed", "started"];
var ListNews = class {
  #language;
  #known = null;
  #newest = "";
  #news = { started: [], completed: [], failed: [] };
  constructor(language2) {
    this.#language = language2;
  }
  add(sessions) {
    const [before, newest] = [this.#known, this.#newest];
    this.#known = new Map(sessions.map(({ session_id, status }) => [session_id, status]));
    this.#newest = sessions[0]?.created_at ?? "";
    if (!before) return;
    for (const session of sessions) {
      const known = before.get(session.session_id);
      const news = known || session.created_at > newest ? newsOf(session, known) : null;
      if (news) this.#news[news].push(nameOf(session));
    }
  }
  forget() {
    this.#known = null;
    this.clear();
  }
  clear() {
    this.#news = { started: [], completed: [], failed: [] };
  }
  get text() {
    return this.#language.joined(KINDS.filter((kind) => this.#news[kind].length).map((kind) => this.#textOf(kind)));
  }
  #textOf(kind) {
    const names = this.#news[kind];
    if (names.length > 1) return this.#language.text(`news_count_${kind}`, { count: names.length });
    return this.#language.text(`news_${kind}`, { name: names[0] ?? "" });
  }
};
function newsOf({ status }, before) {
  if (status === before || status === "pending") return null;
  if (status === "running") return before === "error" ? null : "started";
  return status === "completed" ? "completed" : "failed";
}
var ListSource = class {
  isWaiting = false;
  #fixed;
  #options;
  #onList;
  #onState;
  #filter = NO_FILTER;
  #tracker = null;
  #query = "";
  #isStatusAsked = false;
  #isExtended = false;
  #hasMore = false;
  constructor({ fixed, tracker, onList, onState }) {
    this.#fixed = fixed;
    this.#options = tracker;
    this.#onList = onList;
    this.#onState = onState;
  }
  get isFollowing() {
    return this.#tracker !== null;
  }
  get state() {
    return this.#tracker?.state ?? "stopped";
  }
  now() {
    return this.#tracker?.now() ?? Date.now();
  }
  follow(filter) {
    this.#filter = filter;
    const { prefix, labels, status } = filter;
    this.#isStatusAsked = status !== "" && (this.#isStatusAsked || this.#hasMore);
    const asked = { prefix: prefix || this.#fixed.prefix, labels: { ...this.#fixed.labels, ...labels }, status: this.#fixed.status || this.#isStatusAsked && status || void 0 };
    const query = JSON.stringify(asked);
    if (query === this.#query) return;
    this.stop();
    this.#query = query;
    const tracker = new ProgressListTracker({ ...this.#options, ...asked, onUpdate: (list) => this.#receive(list) });
    this.#tracker = tracker;
    this.isWaiting = true;
    tracker.addEventListener("statechange", () => {
      if (tracker === this.#tracker) this.#onState(tracker.state);
    });
    if (this.#isExtended) tracker.showMore();
    tracker.start();
  }
  stop() {
    const tracker = this.#tracker;
    this.#tracker = null;
    this.#query = "";
    tracker?.stop();
  }
  showMore() {
    this.#isExtended = true;
    this.#tracker?.showMore();
  }
  #receive(list) {
    this.#hasMore = list.more;
    this.isWaiting = false;
    this.follow(this.#filter);
    this.#onList(list);
  }
};
var PATH = /^\/(?![/\\])/;
var UNFIT = /[\s\p{C}]/u;
function fitLinks({ links = [] }) {
  return links.filter(({ url }) => isFitUrl(url));
}
function isFitUrl(url) {
  if (UNFIT.test(url)) return false;
  if (url.startsWith("/")) return PATH.test(url);
  if (!/^https?:\/\//i.test(url)) return false;
  try {
    const { username, password } = new URL(url);
    return !username && !password;
  } catch {
    return false;
  }
}
var LABELS_SHOWN = 5;
var LINKS_SHOWN = 3;
var ListRow = class {
  element = make("tr", "list-row");
  #language;
  #hrefOf;
  #word = make("span", "list-word");
  #state = cell("list-state");
  #name = make("th", "list-name");
  #link = make("a", "list-link");
  #id = make("span", "list-id");
  #error = make("p", "list-error");
  #chips = make("p", "list-chips");
  #fill = make("div", "list-fill");
  #bar = make("div", "list-bar", this.#fill);
  #percent = make("span", "list-percent");
  #step = make("span", "list-step");
  #started = make("time", "list-started");
  #time = make("span", "list-time");
  #session = null;
  #percentage = NaN;
  constructor({ language: language2, hrefOf }) {
    this.#language = language2;
    this.#hrefOf = hrefOf;
    this.element.role = "row";
    this.#name.role = "rowheader";
    this.#name.scope = "row";
    this.#bar.role = "progressbar";
    this.#bar.ariaValueMin = "0";
    this.#bar.ariaValueMax = "100";
    this.#name.append(make("p", "list-title", this.#link, " ", this.#id), this.#error, this.#chips);
    const facts = make("p", "list-facts", this.#percent, " ", this.#step);
    this.element.append(this.#state, this.#name, cell("list-progress", this.#bar, facts), cell("list-when", this.#started), cell("list-duration", this.#time));
  }
  get session() {
    return this.#session;
  }
  show(session, now_ms) {
    const before = this.#session;
    this.#session = session;
    if (!before || lookOf(before) !== lookOf(session)) this.#showState(session);
    this.#showName(session, before);
    if (this.#error.textContent !== (session.error ?? "")) this.#error.textContent = session.error ?? "";
    this.#error.hidden = !session.error;
    setText(this.#step, stepWords(session, this.#language));
    this.#started.dateTime = session.created_at;
    this.tick(now_ms);
  }
  tick(now_ms) {
    const session = this.#session;
    if (!session) return;
    setText(this.#started, this.#language.moment(created_ms(session), now_ms));
    setText(this.#time, timeLeftWords(session, now_ms, this.#language));
    const percentage = percentageAt(session, now_ms);
    if (percentage === this.#percentage) return;
    this.#percentage = percentage;
    this.#fill.style.width = `${percentage}%`;
    this.#bar.ariaValueNow = String(percentage);
    setText(this.#percent, `${percentage}%`);
  }
  #showState(session) {
    const look = lookOf(session);
    this.element.dataset.look = look;
    setText(this.#word, this.#language.text(`list_${look}`));
    this.#state.replaceChildren(icon(iconOf(session.status, session)), this.#word);
  }
  #showName(session, before) {
    if (!before || nameOf(before) !== nameOf(session)) {
      this.#link.replaceChildren(isolated(nameOf(session)));
      this.#link.href = this.#hrefOf(session);
      this.#bar.ariaLabel = this.#language.text("progress_of", { name: nameOf(session) });
      this.#id.replaceChildren(...session.title ? [isolated(session.session_id)] : []);
    }
    const said = JSON.stringify([session.labels, session.links]);
    if (before && said === JSON.stringify([before.labels, before.links])) return;
    this.#chips.replaceChildren(...this.#chipsOf(session), ...fitLinks(session).slice(0, LINKS_SHOWN).map(linkTo));
    this.#chips.hidden = !this.#chips.childElementCount;
  }
  #chipsOf({ labels = {} }) {
    const pairs = Object.entries(labels);
    const chips = pairs.slice(0, LABELS_SHOWN).map(([key, value]) => this.#chip(key, value));
    if (pairs.length <= LABELS_SHOWN) return chips;
    const others = pairs.slice(LABELS_SHOWN);
    const more = make("span", "list-more-labels", this.#language.text("list_more_labels", { count: others.length }));
    more.title = this.#language.joined(others.map(([key, value]) => this.#language.text("list_pair", { key, value })));
    return [...chips, more];
  }
  #chip(key, value) {
    const pair = this.#language.text("list_pair", { key, value });
    const chip = make("button", "chip", isolated(pair));
    chip.type = "button";
    chip.title = this.#language.text("list_filter_by", { label: pair });
    chip.dataset.key = key;
    chip.dataset.value = value;
    return chip;
  }
};
function cell(name, ...children) {
  const made = make("td", name, ...children);
  made.role = "cell";
  return made;
}
function linkTo({ label, url }) {
  const made = make("a", "list-result", isolated(label || url));
  made.href = url;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}
var BUDGET_MS = 6;
var TICK_MS = 1e3;
var DAYS_EVERY_TICKS = 60;
var COLUMNS = ["list_column_state", "list_column_name", "list_column_progress", "list_column_created", "list_column_time"];
var CLASSES = ["list-state", "list-name", "list-progress", "list-when", "list-duration"];
var ListTable = class {
  element = make("table", "list-table");
  #body = make("tbody");
  #options;
  #now_ms;
  #rows = /* @__PURE__ */ new Map();
  #sessions = [];
  #late = /* @__PURE__ */ new Set();
  #frame = 0;
  #ticker;
  #ticks = 0;
  constructor(options, now_ms) {
    this.#options = options;
    this.#now_ms = now_ms;
    const { language: language2 } = options;
    this.element.role = "table";
    this.#body.role = "rowgroup";
    this.element.append(tableHead(language2), this.#body);
    this.element.addEventListener("keydown", (event) => this.#move(event));
  }
  start() {
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }
  stop() {
    clearInterval(this.#ticker);
    this.#ticker = void 0;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
  show(sessions) {
    this.#sessions = sessions;
    this.#drawSoon();
  }
  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }
  #tick() {
    this.#ticks += 1;
    const areAllLate = this.#ticks % DAYS_EVERY_TICKS === 0;
    for (const row of this.#rows.values()) {
      if (areAllLate || row.session && isTicking(row.session)) this.#late.add(row);
    }
    if (this.#late.size) this.#drawSoon();
  }
  moveFocus(by) {
    const row = focusedIn(this.#body)?.closest("tr");
    const place = row && (by > 0 ? row.nextElementSibling : row.previousElementSibling);
    linkIn(row ? place : this.#body.firstElementChild)?.focus();
  }
  #draw() {
    const end_ms = performance.now() + BUDGET_MS;
    const focused = focusedIn(this.#body);
    const isDone = this.#drawRows(end_ms) && this.#drawTimes(end_ms);
    if (focused?.isConnected && !focusedIn(this.#body)) focused.focus({ preventScroll: true });
    if (!isDone) this.#drawSoon();
  }
  #drawRows(end_ms) {
    const wanted = new Set(this.#sessions.map(({ session_id }) => session_id));
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      this.#keepFocus(row);
      row.element.remove();
      this.#rows.delete(id);
      this.#late.delete(row);
      if (performance.now() > end_ms) return false;
    }
    let place = this.#body.firstChild;
    for (const session of this.#sessions) {
      const row = this.#rowOf(session);
      if (row.element === place) place = place.nextSibling;
      else this.#body.insertBefore(row.element, place);
      if (performance.now() > end_ms) return false;
    }
    return true;
  }
  #rowOf(session) {
    const known = this.#rows.get(session.session_id);
    if (known?.session === session) return known;
    const row = known ?? new ListRow(this.#options);
    this.#rows.set(session.session_id, row);
    row.show(session, this.#now_ms());
    return row;
  }
  #drawTimes(end_ms) {
    const now_ms = this.#now_ms();
    for (const row of this.#late) {
      row.tick(now_ms);
      this.#late.delete(row);
      if (performance.now() > end_ms) return this.#late.size === 0;
    }
    return true;
  }
  #keepFocus(row) {
    if (!focusedIn(row.element)) return;
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    linkIn(neighbour)?.focus();
  }
  #move(event) {
    const row = focusedIn(this.#body)?.closest("tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const targets = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: this.#body.firstElementChild, End: this.#body.lastElementChild };
    const link = linkIn(targets[event.key]);
    if (!link) return;
    event.preventDefault();
    link.focus();
  }
};
function linkIn(row) {
  return row?.querySelector("a") ?? null;
}
function tableHead(language2) {
  const row = make("tr", "list-head");
  row.role = "row";
  for (const [index, key] of COLUMNS.entries()) {
    const column = make("th", CLASSES[index], language2.text(key));
    column.role = "columnheader";
    column.scope = "col";
    row.append(column);
  }
  const head = make("thead", "", row);
  head.role = "rowgroup";
  return head;
}
var PACE_MS = 100;
var MAX_LISTED = 1e3;
var INTERVAL_MS2 = 3e3;
var LiveList = class {
  element = make("section", "list");
  badge;
  #options;
  #language;
  #filter;
  #source;
  #news;
  #announcer;
  #table;
  #chips;
  #empty = make("div", "list-empty");
  #note = make("span", "list-note");
  #more;
  #foot = make("p", "list-foot");
  #list = null;
  #pause;
  #isChanged = false;
  #running = new AbortController();
  constructor(options) {
    const { language: language2, root, region, hrefOf } = options;
    this.#options = options;
    this.#language = language2;
    this.#filter = options.filter ?? NO_FILTER;
    this.#source = new ListSource({ fixed: { ...NO_FILTER, ...options.fixed }, tracker: options.tracker, onList: (list) => this.#receive(list), onState: (state) => this.#onState(state) });
    this.#news = new ListNews(language2);
    this.#announcer = new Announcer(this.#heard(region));
    this.badge = new ConnectionBadge(language2, root);
    this.#table = new ListTable({ language: language2, hrefOf }, () => this.#source.now());
    this.#table.element.ariaLabel = language2.text("list_title");
    this.#chips = new ListChips(language2, (filter) => this.choose(filter));
    this.#more = makeButton("more", language2.text("list_more"));
    this.#more.addEventListener("click", () => this.#source.showMore());
    this.#foot.append(this.#note, " ", this.#more);
    for (const part of [this.#table.element, this.#foot]) part.hidden = true;
    this.#empty.append(language2.text("connecting"));
    this.element.append(this.#chips.element, this.#table.element, this.#empty, this.#foot);
    this.element.addEventListener("click", (event) => this.#onClick(event));
    this.#chips.show(this.#filter);
  }
  get filter() {
    return this.#filter;
  }
  set filter(filter) {
    this.#filter = filter;
    this.#chips.show(filter);
    if (this.#source.isFollowing) this.#source.follow(filter);
    this.#show();
  }
  start() {
    this.#running = new AbortController();
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#showConnection(this.#source.state), { signal: this.#running.signal });
    }
    this.#table.start();
    this.#source.follow(this.#filter);
  }
  stop() {
    this.#running.abort();
    this.#source.stop();
    clearTimeout(this.#pause);
    this.#pause = void 0;
    this.#table.stop();
    this.badge.stop();
    this.#announcer.stop();
  }
  moveFocus(by) {
    this.#table.moveFocus(by);
  }
  choose(filter) {
    this.filter = filter;
    this.#options.onfilter?.(filter);
  }
  #onState(state) {
    if (state === "connecting") this.#forget();
    this.#showConnection(state);
    if (state === "denied") this.#showDenied();
    this.#options.onstatechange?.(state);
  }
  #showConnection(state) {
    this.badge.update(state, this.#options.tracker?.interval ?? INTERVAL_MS2);
  }
  #forget() {
    this.#news.forget();
    this.#isChanged = false;
  }
  #receive(list) {
    this.#list = list;
    this.#isChanged = true;
    if (this.#pause === void 0) this.#showChange();
  }
  #showChange() {
    this.#pause = void 0;
    if (!this.#isChanged || !this.#list) return;
    this.#isChanged = false;
    this.#pause = setTimeout(() => this.#showChange(), PACE_MS);
    this.#news.add(this.#list.sessions);
    if (this.#news.text) this.#announcer.say(this.#news.text);
    this.#show();
  }
  #show() {
    const list = this.#list;
    if (!list) return;
    const shown = list.sessions.filter((session) => matches(session, this.#filter));
    this.#table.show(shown);
    this.#table.element.hidden = !shown.length;
    this.#empty.hidden = shown.length > 0;
    if (this.#source.isWaiting) {
      if (!shown.length) this.#empty.replaceChildren(this.#language.text("connecting"));
      return;
    }
    if (!shown.length) this.#showEmpty(list.sessions.length > 0 || this.#isFiltered);
    this.#showFoot(list);
    this.#options.onlist?.(list, countsOf(list.sessions, this.#filter));
  }
  get #isFiltered() {
    return JSON.stringify(this.#filter) !== JSON.stringify(NO_FILTER);
  }
  #showEmpty(isFiltered) {
    const { empty = this.#language.text("list_none") } = this.#options;
    if (!isFiltered) {
      if (this.#empty.lastChild !== empty) this.#empty.replaceChildren(empty);
      return;
    }
    if (this.#empty.querySelector(".list-clear")) return;
    this.#empty.replaceChildren(make("p", "", this.#language.text("list_no_match")), this.#clearButton());
  }
  #clearButton() {
    const clear = makeButton("list-clear", this.#language.text("list_clear"));
    clear.addEventListener("click", () => this.choose(NO_FILTER));
    return clear;
  }
  #showDenied() {
    for (const part of [this.#table.element, this.#foot]) part.hidden = true;
    this.#empty.hidden = false;
    const denied = make("p", "", this.#language.text("list_denied"));
    this.#empty.replaceChildren(denied, ...this.#isFiltered ? [this.#clearButton()] : []);
  }
  #showFoot({ sessions, more }) {
    this.#foot.hidden = !more;
    const { length: count } = sessions;
    setText(this.#note, this.#language.text("list_only_newest", { count }));
    this.#more.hidden = count >= MAX_LISTED;
  }
  #onClick({ target }) {
    const chip = target instanceof Element ? target.closest("button[data-key]") : null;
    if (!(chip instanceof HTMLElement)) return;
    const { key = "", value = "" } = chip.dataset;
    this.choose({ ...this.#filter, labels: { ...this.#filter.labels, [key]: value } });
  }
  #heard(region) {
    const news = this.#news;
    return { get textContent() {
      return region.textContent;
    }, set textContent(text) {
      region.textContent = text;
      news.clear();
    } };
  }
};
function pageOf(id) {
  return new URL(`s/${encodeURIComponent(id)}`, document.baseURI).href;
}
var JobList = class {
  #language;
  #prefixes;
  #on;
  #list;
  #search = element("search");
  #prefix = element("prefix");
  #searchIds = element("search-ids");
  #states = /* @__PURE__ */ new Map();
  #isEmpty = false;
  constructor(language2, prefixes, on) {
    this.#language = language2;
    this.#prefixes = prefixes;
    this.#on = on;
    this.#list = new LiveList({ language: language2, fixed: { prefix: prefixes[0] ?? "" }, filter: filterOf(location.search), hrefOf: ({ session_id }) => pageOf(session_id), root: element("home"), region: element("milestone"), onfilter: (filter) => this.#remember(filter), onlist: (list, counts) => this.#showCounts(list, counts), onstatechange: (state) => this.#onState(state) });
    this.#makeStates();
    this.#makePrefixes();
    this.#search.placeholder = language2.text("list_search_hint");
    this.#search.addEventListener("input", () => this.#choose({ text: this.#search.value.trim() }));
    element("list-tools").addEventListener("submit", (event) => event.preventDefault());
    this.#searchIds.addEventListener("click", () => this.#choose({ prefix: this.#list.filter.text, text: "" }));
    addEventListener("popstate", () => this.#comeBack());
  }
  start() {
    element("count").after(this.#list.badge.element);
    element("list").append(this.#list.element);
    this.#showTools();
    this.#list.start();
  }
  search() {
    this.#search.focus();
  }
  moveFocus(by) {
    this.#list.moveFocus(by);
  }
  #onState(state) {
    if (state === "live" || state === "polling") this.#on.onListed();
    if (state !== "denied") return;
    element("list-tools").hidden = true;
    this.#on.onDenied();
  }
  #makeStates() {
    const group = element("states");
    for (const status of ["", ...STATUSES]) {
      const count = make("span", "home-count");
      const button = makeButton("", this.#language.text(status ? `list_${status}` : "list_all"));
      button.append(count);
      button.addEventListener("click", () => this.#choose({ status }));
      this.#states.set(status, { button, count });
      group.append(button);
    }
  }
  #makePrefixes() {
    element("prefixes").hidden = this.#prefixes.length < 2;
    for (const prefix of this.#prefixes) this.#prefix.append(new Option(prefix, prefix));
    this.#prefix.addEventListener("change", () => this.#choose({ prefix: this.#prefix.value }));
  }
  #choose(change) {
    this.#list.choose({ ...this.#list.filter, ...change });
  }
  #remember(filter) {
    const isTyping = filter.text !== filterOf(location.search).text && filter.text !== "";
    history[isTyping ? "replaceState" : "pushState"](null, "", location.pathname + searchOf(filter));
    this.#showTools();
  }
  #comeBack() {
    this.#list.filter = filterOf(location.search);
    this.#showTools();
  }
  #showTools() {
    const { status, text, prefix } = this.#list.filter;
    for (const [each, { button }] of this.#states) button.ariaPressed = String(each === status);
    if (this.#search.value.trim() !== text) this.#search.value = text;
    const own = this.#prefixes.find((each) => each && prefix.startsWith(each)) ?? this.#prefixes[0];
    if (own !== void 0) this.#prefix.value = own;
  }
  #showCounts({ sessions, more }, counts) {
    const { status: chosen, text, prefix } = this.#list.filter;
    const isPartial = more && sessions.every(({ status }) => status === chosen);
    for (const [status, { count }] of this.#states) {
      const number = `${this.#language.number(counts[status || "all"])}${more ? "+" : ""}`;
      setText(count, isPartial && status !== chosen ? "" : number);
    }
    const shown = chosen ? counts[chosen] : counts.all;
    const { length: listed } = sessions;
    const key = this.#language.plural("listed", shown);
    setText(element("count"), more ? this.#language.text("listed_first", { count: listed }) : this.#language.text(key, { count: shown }));
    const running = counts.running ? `(${counts.running}) ` : "";
    document.title = `${running}${this.#language.text("list_title")}`;
    this.#offerIds(more && text !== "" && text.startsWith(this.#prefixes[0] ?? "") && text !== prefix ? text : "");
    const isEmpty = !listed && !more && !searchOf(this.#list.filter);
    element("list-tools").hidden = isEmpty;
    if (isEmpty && !this.#isEmpty) this.#on.onEmpty();
    this.#isEmpty = isEmpty;
  }
  #offerIds(text) {
    this.#searchIds.hidden = !text;
    if (text) setText(this.#searchIds.firstElementChild ?? this.#searchIds, this.#language.text("list_search_ids", { text }));
  }
};
function factOf(name, page = document) {
  return page.querySelector(`meta[name="progress-${name}"]`)?.getAttribute("content") ?? "";
}
async function listablePrefixes() {
  const told = JSON.parse(factOf("list"));
  if (told.length || factOf("tokens") !== "taken") return told;
  const page = await loadAgain();
  return page ? JSON.parse(factOf("list", page) || "[]") : [];
}
function loadAgain() {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", document.baseURI);
    request.responseType = "document";
    request.addEventListener("loadend", () => resolve(request.responseXML));
    request.send();
  });
}
function updateUrl(base, sessionId) {
  const encoded = encodeURIComponent(sessionId).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return new URL(`api/progress/${encoded}/update`, base).href;
}
function curlParts(url, update, needsToken) {
  return [`curl -X POST ${quoted(url)}`, ...needsToken ? ['-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"'] : [], "-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(update))}`];
}
function quoted(word) {
  return /^[\w./:%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
function freshSessionId() {
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  const random = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => letters[byte % letters.length]);
  return [0, 4, 8].map((start) => random.slice(start, start + 4).join("")).join("-");
}
var FIRST_JOB = "my-job";
function fillStartPanel(panel2, { texts, prefix, needsToken }) {
  const id = prefix + FIRST_JOB;
  const url = document.baseURI.replace(/\/$/, "");
  const run = `progress-sse run --url ${quoted(url)} --session ${quoted(id)} -- sleep 20`;
  const curl = curlParts(updateUrl(document.baseURI, id), { action: "start", step: 1 }, needsToken).join(" ");
  const status = make("span", "visually-hidden");
  status.setAttribute("role", "status");
  const byHand = make("a", "", texts.start_by_hand);
  byHand.href = pageOf(prefix + freshSessionId());
  const hint = make("p", "quiet token-hint", texts.token);
  hint.hidden = !needsToken;
  panel2.append(make("p", "quiet", texts.start_hint), hint, command("progress-sse", run, texts, status), command("curl", curl, texts, status), make("p", "quiet by-hand", byHand, " ", texts.start_by_hand_hint), status);
}
function command(name, text, texts, status) {
  const copy = copyButton(texts, () => text, (answer) => status.replaceChildren(answer));
  copy.ariaLabel = `${texts.copy}: ${name}`;
  const head = make("div", "command-head", make("h2", "", name), copy);
  return make("div", "command", head, make("pre", "", make("code", "", text)));
}
var language = new Language(languageFor(navigator.languages));
function sessionLink(id) {
  const link = make("a", "", make("bdi", "", id));
  link.href = pageOf(id);
  return make("li", "", link);
}
function showOtherWays() {
  if (!element("open").hidden) return;
  element("open").hidden = false;
  const recent = new RecentSessions(() => localStorage).list();
  element("recent").hidden = recent.length === 0;
  element("recent-list").replaceChildren(...recent.map(sessionLink));
  tokenForm.ask();
}
function hideOtherWays() {
  for (const id of ["open", "recent", "entrance"]) element(id).hidden = true;
}
function offerStart() {
  panel.hidden = false;
  panel.open = true;
}
function show(prefixes) {
  fillStartPanel(panel, { texts: language.texts, prefix: prefixes[0] ?? "", needsToken: factOf("publish") === "token" });
  const keys = [{ key: "?", text: "keys_help", run: () => help.open() }];
  if (prefixes.length || filterOf(location.search).prefix) {
    const list = new JobList(language, prefixes, { onEmpty: offerStart, onListed: hideOtherWays, onDenied: showOtherWays });
    keys.unshift({ key: "j", text: "keys_next_job", run: () => list.moveFocus(1), repeats: true }, { key: "k", text: "keys_previous_job", run: () => list.moveFocus(-1), repeats: true }, { key: "/", text: "keys_search", run: () => list.search() });
    list.start();
  } else {
    showOtherWays();
  }
  const shortcuts = new Shortcuts(keys);
  help.list(shortcuts);
  addEventListener("keydown", (event) => shortcuts.press(event));
}
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");
translatePage(language.tag, language.texts);
document.title = language.text("list_title");
var tokenForm = new TokenForm(language.texts, () => location.reload(), factOf("tokens") === "taken");
element("open").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(pageOf(element("open-id").value.trim()));
});
var help = new HelpDialog(language);
element("home-title").append(make("div", "tools", themeSwitch(language.texts), help.button));
element("home").append(help.element);
var panel = element("start");
panel.hidden = factOf("dev") !== "on";
void listablePrefixes().then(show);
