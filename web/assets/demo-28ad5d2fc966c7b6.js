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
function translatePage(tag, texts2) {
  document.documentElement.lang = tag;
  for (const target of document.querySelectorAll("[data-text]")) {
    target.textContent = texts2[target.getAttribute("data-text") ?? ""] ?? "";
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
function nodesOf(language2, key, values = {}) {
  return language2.parts(key, values).map((part) => typeof part === "string" ? document.createTextNode(part) : isolated(part.value));
}
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
function show(target, nodes) {
  target.hidden = nodes.length === 0;
  fill(target, nodes);
}
function fill(target, nodes) {
  const shown = [...target.childNodes];
  if (shown.length === nodes.length && nodes.every((node, index) => shown[index]?.isEqualNode(node))) return;
  target.replaceChildren(...nodes);
}
function makeButton(name, text) {
  const button = make("button", `button ${name}`, text);
  button.type = "button";
  return button;
}
function setBusy(button, isBusy, text) {
  button.ariaDisabled = isBusy ? "true" : null;
  setText(button, text);
}
function copyButton(texts2, text, announce) {
  const button = makeButton("copy", texts2.copy);
  button.addEventListener("click", async () => {
    const answer = await copyText(text()) ? texts2.copied : texts2.copy_failed;
    button.textContent = answer;
    announce(answer);
    setTimeout(() => button.textContent = texts2.copy, COPIED_SHOWN_MS);
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
  var QUIET_MS2 = 5e3;
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
      this.#timers.set("quiet", QUIET_MS2, () => this.#reportFailure({ isHopeless: true }));
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
      if (!this.#timers.isSet("silence")) this.#timers.set("silence", QUIET_MS2, () => this.#reportSilence());
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
  var DEADLINE_MS2 = 1e4;
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
      this.#timers.set(request, DEADLINE_MS2, abort);
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
      this.#timers.set("first", QUIET_MS2, () => void (this.#data || this.#startPolling()));
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
      this.#timers.set("first", QUIET_MS2, () => void (this.#data || this.#startPolling()));
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
function clock(ms) {
  const seconds = wholeSeconds(ms);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const padded = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(seconds % 60)}` : `${minutes}:${padded(seconds % 60)}`;
}
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
  joined(texts2) {
    return texts2.join(this.texts.separator);
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
function startedAt(step) {
  return step && step.status !== "pending" ? step.started_at : null;
}
function elapsed_ms(step, now_ms) {
  if (step.status !== "running") return step.elapsed_ms;
  return Math.max(0, now_ms - Date.parse(step.started_at ?? "")) || 0;
}
function took_ms(data) {
  const start_ms = startedAt_ms(data);
  const ends = data.steps.map((step) => step.status === "pending" ? NaN : Date.parse(step.completed_at ?? ""));
  return Number.isNaN(start_ms) ? 0 : Math.max(0, Math.max(...ends.filter(Number.isFinite)) - start_ms);
}
function startedAt_ms({ steps }) {
  const starts = steps.map((step) => Date.parse(startedAt(step) ?? "")).filter(Number.isFinite);
  return starts.length ? Math.min(...starts) : NaN;
}
function runningSteps({ steps }) {
  return steps.flatMap((step) => step.status === "running" ? [step] : []);
}
function failedSteps({ steps }) {
  return steps.flatMap((step) => step.status === "error" ? [step] : []);
}
function doneSteps({ steps }) {
  return steps.filter(({ status }) => status === "success").length;
}
function hasStalledStep({ steps }) {
  return steps.some(isStalled);
}
function isStalled(step) {
  return step.status === "running" && step.liveness?.state === "stalled";
}
function isOver(data) {
  return data.status === "completed" || data.status === "error" && runningSteps(data).length === 0;
}
function canAsk(kind, data) {
  const { accepts = [], requests = [], status } = data;
  if (!accepts.includes(kind) || requests.some((request) => request.kind === kind && isOpen(request))) return false;
  return kind === "cancel" ? !isOver(data) && !isStopping(data) : status === "error" && isOver(data);
}
function isOpen({ state }) {
  return state === "asked" || state === "seen";
}
function cancellationOf(data) {
  const [newest] = data.requests ?? [];
  return newest?.kind === "cancel" && newest.state === "honoured" && isOver(data) ? newest : null;
}
function isStopping(data) {
  const [newest] = data.requests ?? [];
  if (newest?.kind !== "cancel" || newest.state !== "honoured" || isOver(data)) return false;
  const asked_ms = Date.parse(newest.asked_at);
  return data.steps.every((step) => !(Date.parse(startedAt(step) ?? "") > asked_ms));
}
function requestSentence(data) {
  const [newest] = data.requests ?? [];
  if (!newest) return null;
  if (newest.kind === "cancel") return cancelSentence(newest, data);
  return newest.kind === "retry" ? retrySentence(newest, data) : null;
}
function cancelSentence(request, data) {
  const { state, message = "", reason = "" } = request;
  if (state === "asked" && isUnheard(data)) return { look: "asked", key: "cancel_unheard", values: {} };
  if (state === "asked") return { look: "asked", key: reason ? "cancel_asked_why" : "cancel_asked", values: { reason } };
  if (state === "seen" || isStopping(data)) return { look: "seen", key: "cancel_seen", values: {} };
  if (state === "declined") return declined("cancel", message);
  if (state === "honoured" && isOver(data) && message) return { look: "ended", key: "worker_says", values: { message } };
  if (state !== "too_late" || !isOver(data)) return null;
  return { look: "ended", key: data.status === "completed" ? "cancel_too_late" : "cancel_too_late_failed", values: {} };
}
function retrySentence({ state, message = "" }, data) {
  if (data.status !== "error") return null;
  if (state === "asked") return { look: "asked", key: "retry_asked", values: {} };
  if (state === "seen") return { look: "seen", key: "retry_seen", values: {} };
  return state === "declined" ? declined("retry", message) : null;
}
function declined(kind, message) {
  return { look: "ended", key: message ? `${kind}_declined_why` : `${kind}_declined`, values: { message } };
}
function isUnheard(data) {
  const running = runningSteps(data);
  return running.length > 0 && running.every(isStalled);
}
function hasNewRequest(before, data) {
  const [now] = data.requests ?? [];
  const known = before.requests?.find(({ id }) => id === now?.id);
  return now !== void 0 && now.state !== known?.state;
}
var MILESTONE_PERCENT = 25;
var SECOND_MS3 = 1e3;
function headlineOf(data, isDeleted = false, isOwn = () => false) {
  const { current_step: step, total_steps: total } = data;
  if (isDeleted) return { key: "deleted", values: {} };
  if (data.status === "error") return isOwn(cancellationOf(data)) ? ownCancellation(data) : failureHeadline(data);
  if (data.status === "completed") {
    const duration_ms = took_ms(data);
    return duration_ms >= SECOND_MS3 ? { key: "completed_in", values: { duration: { duration_ms } } } : { key: "completed", values: {} };
  }
  const key = data.status === "running" && data.open_ended ? "running_open" : data.status;
  return { key, values: { step, total, name: data.steps[step - 1]?.name ?? "" } };
}
function ownCancellation(data) {
  const done = doneSteps(data);
  if (!done) return { key: "cancelled_by_you", values: {} };
  return { key: "cancelled_by_you_after", values: { done, total: data.total_steps } };
}
function failureHeadline(data) {
  const [conclusion, failed] = [conclusionOf(data), failedSteps(data)];
  const key = conclusion ?? "error";
  const named = conclusion ? lastEnded(failed) : failed.find(failedPlainly) ?? failed[0];
  if (!failedPlainly(data) || !named) return { key: `${key}_whole`, values: {} };
  return { key, values: { step: named.step } };
}
function conclusionOf(data) {
  const failed = failedSteps(data);
  if (data.status !== "error") return void 0;
  if (!failedPlainly(data)) return data.conclusion;
  const conclusion = failed.some(failedPlainly) ? void 0 : lastEnded(failed)?.conclusion;
  return conclusion === "skipped" ? void 0 : conclusion;
}
function failedPlainly({ conclusion }) {
  return conclusion !== "cancelled" && conclusion !== "lost";
}
function lastEnded(steps) {
  const end_ms = (step) => Date.parse(step.completed_at ?? "");
  return steps.reduce((last, step) => {
    return last && end_ms(last) > end_ms(step) ? last : step;
  }, void 0);
}
function countedOf(data, language2) {
  const { open_ended, status, total_steps: total } = data;
  if (total === 0) return { key: "counted_none", values: {} };
  const isOpen2 = open_ended && status !== "completed" && status !== "error";
  return { key: language2.plural(isOpen2 ? "counted_open" : "counted", total), values: { done: doneSteps(data), total } };
}
function retryOf({ retried, isSetBack }) {
  return retried ? { key: isSetBack ? "set_back" : "retried", values: { step: retried } } : null;
}
function quarterOf(percentage) {
  return Math.floor(percentage / MILESTONE_PERCENT);
}
function milestoneOf(before, state) {
  const { data, percentage, retried, isDeleted } = state;
  if (retried && retried !== before.retried) return retryOf(state);
  const isChanged = data.status !== before.data.status;
  const isNextStep = data.status === "running" && (isChanged || data.current_step !== before.data.current_step);
  if (isNextStep || isChanged && (data.status === "completed" || isDeleted)) return headlineOf(data, isDeleted);
  const quarter = quarterOf(percentage);
  const isFurther = data.status === "running" && quarter > quarterOf(before.percentage);
  return isFurther ? { key: "milestone", values: { percentage: quarter * MILESTONE_PERCENT } } : null;
}
function combined(states, count) {
  const statuses = states.map(({ data }) => data.status);
  if (states.length < count) statuses.push("not_found");
  const percentage = Math.floor(states.reduce((sum, state) => sum + state.percentage, 0) / count);
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  return { status: statuses.every((status) => status === first) ? first : "running", percentage };
}
var FIRST_WAIT_MS = 2e3;
var LONGEST_WAIT_MS = 3e4;
var NextRunWatch = class {
  #look;
  #watching = new AbortController();
  #wait_ms = FIRST_WAIT_MS;
  #timer;
  #isLooking = false;
  constructor(look) {
    this.#look = look;
  }
  start() {
    this.stop();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    document.addEventListener("visibilitychange", () => this.#onReturn(), { signal });
    globalThis.addEventListener("online", () => this.#onReturn(), { signal });
    globalThis.addEventListener("pageshow", ({ persisted }) => void (persisted && this.#onReturn()), { signal });
    this.#wait_ms = FIRST_WAIT_MS;
    this.#schedule();
  }
  stop() {
    this.#watching.abort();
    clearTimeout(this.#timer);
  }
  #onReturn() {
    clearTimeout(this.#timer);
    this.#wait_ms = FIRST_WAIT_MS;
    if (isVisible()) void this.#lookNow();
  }
  #schedule() {
    clearTimeout(this.#timer);
    if (!isVisible()) return;
    this.#timer = setTimeout(() => void this.#lookNow(), this.#wait_ms * (1 + Math.random()));
    this.#wait_ms = Math.min(LONGEST_WAIT_MS, 2 * this.#wait_ms);
  }
  async #lookNow() {
    if (this.#isLooking) return;
    const { signal } = this.#watching;
    this.#isLooking = true;
    await this.#look();
    this.#isLooking = false;
    if (!signal.aborted) this.#schedule();
  }
};
function isVisible() {
  return document.visibilityState === "visible";
}
var NOTHING_KNOWN = { own: [], learned: /* @__PURE__ */ new Map() };
function learnedFrom(definitions) {
  return new Map(definitions.flatMap(({ name, learned }) => learned ? [[name, learned.p50_ms]] : []));
}
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
function runningLeft_ms(data, learned, now_ms) {
  return Math.max(0, ...runningSteps(data).map((step) => stepLeft_ms(step, learned, now_ms)));
}
function stepLeft_ms(step, learned, now_ms) {
  const spent_ms = elapsed_ms(step, now_ms);
  const usually_ms = usual_ms(step, learned);
  if (!Number.isNaN(usually_ms)) return Math.max(0, usually_ms - spent_ms);
  const { current, total } = step.progress ?? { current: 0, total: null };
  return current && total ? spent_ms * (total - current) / current : NaN;
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
function moved(known, data, learned, reported_ms2, now_ms) {
  if (!isMoving(data)) return known;
  const end_ms = Date.parse(data.time?.finish_at?.p50 ?? "");
  const passed_ms = Math.min(now_ms, end_ms - waiting_ms(data, learned)) - reported_ms2;
  if (!(passed_ms > 0)) return known;
  const byNow = known + (100 - known) * passed_ms / (end_ms - reported_ms2);
  return Math.max(known, Math.min(MOST_BEFORE_THE_END, byNow));
}
function percentageAt({ data, updatedPercentage, percentage, reported_ms: reported_ms2, known }, now_ms) {
  return Math.max(percentage, moved(updatedPercentage, data, known.learned, reported_ms2, now_ms));
}
var MIN_PERCENT = 1;
function segmentEnds({ data, known: { learned } }, percentage, now_ms) {
  if (!data.time) return [];
  const running = runningSteps(data);
  const done = data.steps.filter(({ status }) => status === "success").map((step) => step.elapsed_ms);
  const spent = Math.max(0, ...running.map((step) => elapsed_ms(step, now_ms)));
  const rest = runningLeft_ms(data, learned, now_ms);
  const waiting = data.steps.filter(({ status }) => status === "pending" || status === "error");
  const left = waiting.map((step) => usual_ms(step, learned));
  const before = endsOf([...done, spent], 0, percentage);
  const after = endsOf([rest, ...left], percentage, 100);
  if (after.some(Number.isNaN)) return [];
  return spaced([...before.slice(0, running.length ? -1 : void 0), ...after.slice(running.length ? 0 : 1)]);
}
function endsOf(lengths, from, to) {
  const sum = lengths.reduce((total, length) => total + length, 0);
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return sum ? from + (to - from) * end / sum : Number.isNaN(sum) ? NaN : from;
  });
}
function spaced(ends) {
  const kept = [];
  for (const end of ends) if (end - (kept.at(-1) ?? 0) >= MIN_PERCENT && 100 - end >= MIN_PERCENT) kept.push(end);
  return kept;
}
var NARROW_PERCENT = 16;
var OverallBar = class {
  element = make("div", "bar");
  #percent = make("span", "percent");
  #fill = make("div", "fill", this.#percent);
  #ends = make("div", "segment-ends");
  #json = "";
  #percentage = 0;
  #spoken = 0;
  constructor(name) {
    this.element.role = "progressbar";
    this.element.ariaLabel = name;
    this.element.ariaValueMin = "0";
    this.element.ariaValueMax = "100";
    this.element.append(this.#fill, this.#ends);
    for (const type of ["transitionend", "transitioncancel"]) this.#fill.addEventListener(type, () => this.#placeNumber());
    this.#fillTo(0);
  }
  show(state, now_ms) {
    const percentage = percentageAt(state, now_ms);
    this.element.toggleAttribute("data-timed", isMoving(state.data));
    this.#fillTo(percentage);
    this.#speak(state);
    const ends = segmentEnds(state, percentage, now_ms);
    fill(this.#ends, ends.map((end) => {
      const mark = make("span", "segment-end");
      mark.style.left = `${end.toFixed(1)}%`;
      return mark;
    }));
  }
  #fillTo(percentage) {
    this.#fill.style.width = `${Math.round(percentage * 100) / 100}%`;
    setText(this.#percent, `${Math.floor(percentage)}%`);
    this.#percentage = percentage;
    this.#placeNumber();
  }
  #placeNumber() {
    const whole = this.element.offsetWidth;
    const drawn = whole ? 100 * this.#fill.offsetWidth / whole : this.#percentage;
    this.#fill.toggleAttribute("data-narrow", Math.min(drawn, this.#percentage) < NARROW_PERCENT);
  }
  #speak({ data, json, percentage }) {
    if (json !== this.#json || quarterOf(percentage) > quarterOf(this.#spoken)) this.#spoken = percentage;
    this.#json = json;
    this.element.ariaValueNow = data.status === "not_found" ? null : String(this.#spoken);
  }
};
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
var SILENT_MS = 3e4;
var QUIET_MS = 6e4;
var MINUTE_MS2 = 6e4;
function lifeSignOf({ data, reported_ms: reported_ms2 }, now_ms) {
  if (data.status !== "running") return null;
  const running = runningSteps(data);
  const stalled = running.find(isStalled);
  if (stalled) return { kind: "stalled", step: stalled.step, since_ms: Date.parse(stalled.liveness?.since ?? "") };
  const silent_ms = now_ms - reported_ms2;
  if (running.some(({ liveness }) => liveness)) return silent_ms >= QUIET_MS ? { kind: "quiet", silent_ms } : null;
  return silent_ms >= SILENT_MS && isOverdue(data, silent_ms, now_ms) ? { kind: "silent", silent_ms } : null;
}
function signSentence(sign, data, now_ms, language2) {
  if (sign.kind === "stalled") {
    const key = runningSteps(data).length > 1 ? "stalled_step" : "stalled";
    return { key, values: { step: sign.step, time: language2.moment(sign.since_ms, now_ms) } };
  }
  const grain_ms = sign.kind === "quiet" ? MINUTE_MS2 : 1;
  return { key: sign.kind, values: { duration: { duration_ms: Math.floor(sign.silent_ms / grain_ms) * grain_ms } } };
}
function isOverdue(data, silent_ms, now_ms) {
  const isPast = (limit_ms, ms) => Boolean(limit_ms) && ms > Number(limit_ms);
  const running = runningSteps(data);
  if (running.length) return running.some((step) => isPast(step.timeout_ms, elapsed_ms(step, now_ms)));
  return isPast(data.steps.find(({ status }) => status === "pending")?.timeout_ms, silent_ms);
}
var SessionFacts = class {
  #language;
  #root;
  #counted = make("span", "counted");
  #timeLeft = make("span", "time-left");
  element = make("p", "facts", this.#counted, " ", this.#timeLeft);
  #noteIcon = make("span", "note-icon");
  #noteText = make("span", "note-text");
  note = make("p", "note", this.#noteIcon, this.#noteText);
  constructor(language2, root) {
    this.#language = language2;
    this.#root = root;
    this.note.hidden = true;
  }
  show(state, now_ms, time, isConnected2) {
    this.#showCounted(state);
    setText(this.#timeLeft, time);
    const sign = isConnected2 ? lifeSignOf(state, now_ms) : null;
    this.#root.toggleAttribute("data-silent", sign?.kind === "silent" || sign?.kind === "stalled");
    this.#root.toggleAttribute("data-quiet", sign?.kind === "quiet");
    const note = sign ? signSentence(sign, state.data, now_ms, this.#language) : retryOf(state);
    this.note.hidden = note === null;
    if (!note) return;
    fill(this.#noteIcon, [icon(sign ? sign.kind === "quiet" ? "alive" : "stalled" : "again")]);
    fill(this.#noteText, nodesOf(this.#language, note.key, note.values));
  }
  #showCounted({ data, isDeleted }) {
    const absent = { key: isDeleted ? "restart" : "soon", values: {} };
    const { key, values } = data.status === "not_found" ? absent : countedOf(data, this.#language);
    fill(this.#counted, nodesOf(this.#language, key, values));
  }
};
var SessionHeadline = class {
  elements;
  #language;
  #icon = make("span", "state-icon", icon("absent"));
  #text;
  #shown = "absent";
  constructor(language2, tag) {
    this.#language = language2;
    this.#text = make(tag, "headline", language2.text("connecting"));
    this.#text.tabIndex = -1;
    this.elements = [this.#icon, this.#text];
  }
  show({ key, values }, { data, isDeleted }) {
    fill(this.#text, nodesOf(this.#language, key, values));
    this.#draw(iconOf(data.status, { conclusion: conclusionOf(data), isStalled: hasStalledStep(data), isDeleted }));
  }
  deny() {
    fill(this.#text, nodesOf(this.#language, "denied"));
    this.#draw("denied");
  }
  #draw(name) {
    if (name !== this.#shown) this.#icon.replaceChildren(icon(name));
    this.#shown = name;
  }
  focus() {
    this.#text.focus();
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
var SessionLinks = class {
  element = make("ul", "links");
  constructor(language2) {
    this.element.hidden = true;
    this.element.ariaLabel = language2.text("links");
    this.element.setAttribute("role", "list");
  }
  show(details) {
    show(this.element, fitLinks(details).map(linkItem));
  }
};
function linkItem({ label, url }) {
  const link = make("a", "link", isolated(label || url), icon("out"));
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return make("li", "", link);
}
var SHORT = 10;
var LEAST = 3;
var NEXT_SHOWN = 3;
function foldsOf(steps) {
  if (steps.length <= SHORT) return [];
  const folds = [];
  for (let first = 0; first < steps.length; ) {
    const last = endOfRun(steps, first);
    const fold = foldOf(steps, first, last);
    if (fold) folds.push(fold);
    first = last + 1;
  }
  return folds;
}
function endOfRun(steps, first) {
  const end = steps.findIndex(({ status }, index) => index > first && status !== steps[first]?.status);
  return (end < 0 ? steps.length : end) - 1;
}
function foldOf(steps, first, last) {
  const status = steps[first]?.status;
  if (status === "success" && last - first + 1 >= LEAST) {
    const took_ms2 = steps.slice(first, last + 1).reduce((sum, step) => sum + step.elapsed_ms, 0);
    return { kind: "done", key: `done from ${first}`, first, last, took_ms: took_ms2 };
  }
  const from = first + NEXT_SHOWN;
  if (status === "pending" && last - from + 1 >= LEAST) {
    return { kind: "waiting", key: `waiting to ${last}`, first: from, last, took_ms: 0 };
  }
  return null;
}
var LONG_CHARS = 240;
var LONG_LINES = 3;
var LongText = class {
  text;
  #texts;
  #button = null;
  #isOpen = false;
  constructor(texts2, name) {
    this.#texts = texts2;
    this.text = isolated("", name);
  }
  show(text) {
    setText(this.text, text);
    const isLong = text.length > LONG_CHARS || text.split("\n").length > LONG_LINES;
    if (isLong) this.#button ??= this.#makeButton();
    if (this.#button) this.#button.hidden = !isLong;
    this.#draw(isLong);
  }
  #makeButton() {
    const button = makeButton("more", "");
    button.addEventListener("click", () => {
      this.#isOpen = !this.#isOpen;
      this.#draw(true);
    });
    this.text.after(button);
    return button;
  }
  #draw(isLong) {
    this.text.toggleAttribute("data-cut", isLong && !this.#isOpen);
    if (!this.#button) return;
    this.#button.ariaExpanded = String(this.#isOpen);
    setText(this.#button, this.#isOpen ? this.#texts.show_less : this.#texts.show_more);
  }
};
var ORDER = ["error", "running", "success"];
function reportedParts({ running, success, error }) {
  return running + success + error;
}
function cellsOf(parts, known = []) {
  const isListed = new Set(parts.listed.map(({ part }) => part));
  const all = [...parts.listed, ...known.filter(({ part }) => !isListed.has(part))];
  const cells = ORDER.flatMap((status) => cellsOfStatus(all, status, parts[status]));
  const waiting = Math.max(0, (parts.total ?? 0) - cells.length);
  return [...cells, ...Array.from({ length: waiting }, () => ({ status: "pending" }))];
}
function cellsOfStatus(known, status, count) {
  const named = known.filter((part) => part.status === status);
  return Array.from({ length: count }, (_, index) => ({ status, ...named[index] && { part: named[index] } }));
}
function partsText(parts, language2) {
  const { success: done, error } = parts;
  const key = parts.total === null ? "parts_so_far" : "parts_done";
  const counted = language2.text(key, { done, total: parts.total ?? reportedParts(parts) });
  return error ? language2.joined([counted, language2.text("parts_failed", { count: error })]) : counted;
}
function cellText({ status, part }, language2) {
  const word = language2.text(`step_${status}`);
  if (!part) return word;
  const { progress, message = "", error = "" } = part;
  const counted = status === "running" && progress ? language2.counted(progress) : "";
  return language2.joined([word, counted, error || message].filter(Boolean));
}
var MANY = 60;
var RELOAD_MS = 2e3;
var PartsView = class {
  element = make("div", "parts");
  #language;
  #load;
  #count = make("p", "parts-count");
  #cells = make("ul", "cells");
  #readout = make("p", "part-readout");
  #list = make("ul", "parts-list");
  #all;
  #details;
  #parts = null;
  #known = null;
  #reload;
  #pointed = null;
  constructor(language2, load) {
    this.#language = language2;
    this.#load = load;
    this.#all = makeButton("all", "");
    this.#all.addEventListener("click", () => void this.#showAll());
    const summary = make("summary", "", language2.text("parts_list"));
    this.#details = make("details", "parts-details", summary, this.#list, this.#all);
    this.#details.addEventListener("toggle", () => this.#showList());
    for (const list of [this.#cells, this.#list]) list.setAttribute("role", "list");
    this.#list.tabIndex = 0;
    this.#list.ariaLabel = language2.text("parts_list");
    this.#readout.ariaHidden = "true";
    for (const type of ["pointerover", "focusin"]) this.#cells.addEventListener(type, (event) => this.#point(event));
    for (const type of ["pointerleave", "focusout"]) this.#cells.addEventListener(type, () => this.#point());
    this.#cells.addEventListener("keydown", (event) => this.#move(event));
    this.element.append(this.#count, this.#cells, this.#readout, this.#details);
  }
  show(parts) {
    this.element.hidden = !parts;
    this.#parts = parts ?? null;
    if (!parts) {
      this.#known = null;
      return;
    }
    if (this.#known) this.#reloadSoon();
    this.#draw();
  }
  #draw() {
    if (!this.#parts) return;
    const text = partsText(this.#parts, this.#language);
    setText(this.#count, text);
    this.#cells.ariaLabel = text;
    this.#showCells(this.#shownCells());
    this.#showList();
  }
  #shownCells() {
    return this.#parts ? cellsOf(this.#parts, this.#known ?? []) : [];
  }
  #showCells(cells) {
    this.#cells.toggleAttribute("data-many", cells.length > MANY);
    this.#removeAfter(cells.length);
    for (const [index, cell2] of cells.entries()) {
      const item = this.#cells.children[index] ?? this.#append(index);
      item.dataset.status = cell2.status;
      fill(item.firstElementChild, this.#nodes(cell2));
    }
    this.#showReadout();
  }
  #removeAfter(count) {
    const cells = this.#allCells();
    const removed = cells.slice(count);
    const stop = removed.find(({ tabIndex }) => tabIndex === 0);
    const hadFocus = stop?.matches(":focus");
    for (const cell2 of removed) cell2.remove();
    const target = cells[count - 1];
    if (!stop || !target) return;
    target.tabIndex = 0;
    if (hadFocus) target.focus();
  }
  #allCells() {
    return [...this.#cells.children];
  }
  #append(index) {
    const item = make("li", "", make("span", "visually-hidden"));
    item.tabIndex = index ? -1 : 0;
    this.#cells.append(item);
    return item;
  }
  #nodes(cell2) {
    const text = cellText(cell2, this.#language);
    if (!cell2.part) return [document.createTextNode(text)];
    return nodesOf(this.#language, "part", { part: cell2.part.part, text });
  }
  #point(event) {
    const { target = null } = event ?? {};
    this.#pointed = target instanceof Element ? target.closest(".cells > li") : null;
    this.#showReadout();
  }
  #showReadout() {
    const shown = this.#pointed?.isConnected ? [...this.#pointed.firstElementChild?.childNodes ?? []] : [];
    fill(this.#readout, shown.map((node) => node.cloneNode(true)));
  }
  #move(event) {
    const cells = this.#allCells();
    const index = cells.indexOf(event.target);
    const last = cells.length - 1;
    const targets = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last };
    const target = cells[targets[event.key] ?? -1];
    if (!target || index < 0) return;
    event.preventDefault();
    for (const cell2 of cells) cell2.tabIndex = cell2 === target ? 0 : -1;
    target.focus();
  }
  #showList() {
    if (!this.#parts || !this.#details.open) return;
    const named = this.#shownCells().filter(({ part }) => part);
    const reported = reportedParts(this.#parts);
    this.#all.hidden = this.#known !== null || named.length >= reported;
    setText(this.#all, this.#language.text("parts_all", { count: reported }));
    fill(this.#list, named.map((cell2) => this.#listItem(cell2)));
  }
  #listItem(cell2) {
    const item = make("li", "", ...this.#nodes(cell2));
    item.dataset.status = cell2.status;
    return item;
  }
  async #showAll() {
    const hadFocus = this.#all.matches(":focus");
    try {
      this.#known = await this.#load();
      this.#draw();
      if (hadFocus && this.#all.hidden) this.#list.focus();
    } catch {
      setText(this.#all, this.#language.text("request_unanswered"));
    }
  }
  #reloadSoon() {
    this.#reload ??= setTimeout(async () => {
      const known = await this.#load().catch(() => null);
      this.#reload = void 0;
      if (known && this.#known) this.#known = known;
      this.#draw();
    }, RELOAD_MS);
  }
};
var StepFold = class {
  element = makeButton("fold", "");
  #language;
  #text = make("span", "fold-text");
  #took = make("span", "fold-took");
  constructor(language2, kind, onToggle) {
    this.#language = language2;
    this.element.dataset.kind = kind;
    const mark = make("span", "fold-icon", icon(kind === "done" ? "success" : "pending"));
    this.element.append(icon("chevron"), mark, this.#text, this.#took);
    this.element.addEventListener("click", onToggle);
  }
  show({ kind, first, last, took_ms: took_ms2 }, isOpen2) {
    const count = last - first + 1;
    this.element.ariaExpanded = String(isOpen2);
    const text = this.#language.plural(kind === "done" ? "fold_done" : "fold_waiting", count);
    this.#text.replaceChildren(...nodesOf(this.#language, text, { count }));
    setText(this.#took, took_ms2 >= 1e3 ? this.#language.duration(took_ms2) : "");
  }
};
var MINUTE_MS3 = 6e4;
function stateText(step, language2) {
  const conclusion = step.status === "pending" ? void 0 : step.conclusion;
  const finer = isStalled(step) ? "step_stalled" : `step_${conclusion ?? step.status}`;
  return language2.text(finer in language2.texts ? finer : `step_${step.status}`);
}
function spentText(step, now_ms, language2, isForScripts = false) {
  if (step.status === "pending" || step.conclusion === "skipped") return "";
  const ms = elapsed_ms(step, now_ms);
  if (ms >= MINUTE_MS3) return language2.duration(ms);
  const count = step.status === "running" ? String(Math.floor(ms / 1e3)) : (Math.floor(ms / 100) / 10).toFixed(1);
  return isForScripts ? `${count}s` : language2.text("unit_s", { count });
}
function attemptText(step, language2) {
  const { attempt = 1 } = step.status === "pending" ? {} : step;
  return attempt > 1 ? language2.text("attempt", { attempt }) : "";
}
function limitText(step, now_ms, language2) {
  const { status, timeout_ms: duration_ms } = step;
  if (status !== "running" || !duration_ms || elapsed_ms(step, now_ms) <= duration_ms) return "";
  return language2.text("over_limit", { limit: { duration_ms } });
}
function countOf(step) {
  if (step.status !== "running" || !step.progress || typeof step.parts?.total === "number") return null;
  return step.progress.current > 0 || step.progress.total !== null ? step.progress : null;
}
var SIGNS = { pending: "⏳", running: "🔄", success: "✅", error: "❌" };
var StepItem = class {
  element = make("li");
  #language;
  #sign = make("span", "sign");
  #icon = make("span", "icon", this.#sign);
  #iconName = null;
  #name = isolated("", "name");
  #before = make("span", "sign");
  #duration = make("span", "duration");
  #after = make("span", "sign");
  #elapsed = make("span", "elapsed", this.#before, this.#duration, this.#after);
  #attempt = make("span", "attempt");
  #outcome = make("span", "outcome");
  #limit = make("span", "limit");
  #message;
  #gauge = make("span", "gauge", make("span", "gauge-fill"));
  #count = make("span", "count");
  #inside = make("p", "inside", this.#gauge, this.#count);
  #about;
  #options;
  #fold = null;
  #parts = null;
  #shown = "";
  constructor(language2, options) {
    this.#language = language2;
    this.#options = options;
    this.#message = new LongText(language2.texts, "message");
    this.element.tabIndex = -1;
    this.#icon.setAttribute("role", "img");
    this.#gauge.ariaHidden = "true";
    const line = make("p", "line", this.#name, " ", this.#elapsed, this.#outcome, this.#attempt, this.#limit);
    this.#about = make("div", "about", line, this.#message.text, this.#inside);
    this.element.append(this.#icon, " ", this.#about);
  }
  show(step, now_ms) {
    const json = JSON.stringify(step);
    const isChanged = json !== this.#shown;
    this.#shown = json;
    if (isChanged) this.#showState(step);
    if (isChanged || step.status === "running") this.#showTimes(step, now_ms);
  }
  attach(element2) {
    this.#about.append(element2);
  }
  #showState(step) {
    const { conclusion = "", parts } = step.status === "pending" ? {} : step;
    this.element.dataset.status = step.status;
    this.element.dataset.conclusion = conclusion;
    this.element.toggleAttribute("data-stalled", isStalled(step));
    this.element.style.setProperty("--number", String(step.step));
    this.element.part.value = `step step-${step.status}${conclusion && ` step-${conclusion}`}`;
    setText(this.#outcome, conclusion && ` ${stateText(step, this.#language)}`);
    if (step.status === "running") this.element.setAttribute("aria-current", "step");
    else this.element.removeAttribute("aria-current");
    this.#showIcon(iconOf(step.status, { conclusion, isStalled: isStalled(step) }), step);
    setText(this.#attempt, spaced2(attemptText(step, this.#language)));
    setText(this.#name, step.name);
    this.#message.show(step.status === "pending" ? "" : step.message);
    this.#showInside(countOf(step));
    this.#showParts(step.step, parts);
  }
  #showIcon(name, step) {
    this.#icon.setAttribute("aria-label", this.#language.text(isStalled(step) ? "step_stalled" : `step_${step.status}`));
    if (this.#options.hasSigns) setText(this.#sign, SIGNS[step.status]);
    if (name === this.#iconName) return;
    this.#iconName = name;
    this.#icon.replaceChildren(this.#sign, icon(name));
  }
  #showParts(number, parts) {
    if (parts && !this.#parts) {
      this.#parts = new PartsView(this.#language, () => this.#options.loadParts(number));
      this.#about.append(this.#parts.element);
    }
    this.#parts?.show(parts);
  }
  #showInside(progress) {
    this.#inside.hidden = !progress;
    setText(this.#count, progress ? this.#language.counted(progress) : "");
    if (!progress) return;
    const { current, total } = progress;
    this.#gauge.toggleAttribute("data-endless", total === null);
    const filled = this.#gauge.firstElementChild;
    filled.style.width = total === null ? "" : `${total && 100 * current / total}%`;
  }
  #showTimes(step, now_ms) {
    const limit = limitText(step, now_ms, this.#language);
    const text = spentText(step, now_ms, this.#language, this.#options.hasSigns);
    const isMarked = this.#options.hasSigns && text !== "";
    setText(this.#before, isMarked ? "(" : "");
    setText(this.#duration, text);
    setText(this.#after, isMarked ? ")" : "");
    setText(this.#limit, spaced2(limit));
    this.element.toggleAttribute("data-over-limit", limit !== "");
  }
  fold(fold, isOpen2, onToggle) {
    if (this.#fold?.element.dataset.kind !== fold.kind) {
      this.#fold?.element.remove();
      this.#fold = new StepFold(this.#language, fold.kind, onToggle);
      this.element.prepend(this.#fold.element);
    }
    this.#fold.element.hidden = false;
    this.#fold.show(fold, isOpen2);
    this.element.toggleAttribute("data-folded", !isOpen2);
  }
  unfold() {
    this.element.removeAttribute("data-folded");
    if (this.#fold) this.#fold.element.hidden = true;
  }
  focusFold() {
    this.#fold?.element.focus();
  }
};
function spaced2(text) {
  return text && ` ${text}`;
}
var TARGETS = ["failed", "running", "cancelled"];
function targetOf(step) {
  if (step.status === "error") return step.conclusion === "cancelled" ? "cancelled" : "failed";
  return step.status === "running" ? "running" : "none";
}
var StepsHead = class {
  element = make("p", "steps-head");
  #language;
  #list;
  #jump = makeButton("jump", "");
  #all = makeButton("fold-all", "");
  #target = -1;
  constructor(language2, list, onToggleAll) {
    this.#language = language2;
    this.#list = list;
    this.#jump.addEventListener("click", () => focusStep(list.children[this.#target]));
    this.#all.addEventListener("click", onToggleAll);
    this.element.append(this.#jump, this.#all);
    this.element.hidden = true;
  }
  show(steps) {
    const targets = steps.map(targetOf);
    const target = TARGETS.find((wanted) => targets.includes(wanted));
    this.#target = target ? targets.indexOf(target) : -1;
    this.#jump.hidden = !target || !this.#list.hasAttribute("data-long");
    if (target) {
      this.#jump.dataset.target = target;
      setText(this.#jump, this.#language.text(`jump_${target}`));
    }
    this.element.hidden = this.#jump.hidden && this.#all.hidden;
  }
  setOpen(folds, isOpen2) {
    this.#all.hidden = folds < 2;
    this.#all.ariaExpanded = String(isOpen2);
    setText(this.#all, this.#language.text(isOpen2 ? "show_fewer" : "show_all"));
    this.element.hidden = this.#jump.hidden && this.#all.hidden;
  }
};
function focusStep(step) {
  if (!(step instanceof HTMLElement)) return;
  step.focus({ preventScroll: true });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  step.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
}
var StepList = class {
  element;
  #list = make("ol", "steps");
  #language;
  #options;
  #head;
  #items = [];
  #open = /* @__PURE__ */ new Set();
  #folds = [];
  #statuses = "";
  constructor(language2, options) {
    this.#language = language2;
    this.#options = options;
    this.#head = new StepsHead(language2, this.#list, () => this.#toggleAll());
    this.#list.setAttribute("role", "list");
    this.element = make("div", "steps-section", this.#head.element, this.#list);
  }
  show(steps, now_ms) {
    for (const item of this.#items.splice(steps.length)) item.element.remove();
    for (const [index, step] of steps.entries()) {
      const item = this.#items[index] ?? this.#append();
      item.show(step, now_ms);
    }
    const statuses = steps.map(({ status, elapsed_ms: elapsed_ms2 }) => `${status} ${elapsed_ms2}`).join();
    if (statuses === this.#statuses) return;
    this.#statuses = statuses;
    this.#list.toggleAttribute("data-long", steps.length > SHORT);
    this.#folds = foldsOf(steps);
    this.#showFolds();
    this.#head.show(steps);
  }
  attach(step, element2) {
    this.#items[step - 1]?.attach(element2);
  }
  #append() {
    const item = new StepItem(this.#language, this.#options);
    this.#items.push(item);
    this.#list.append(item.element);
    return item;
  }
  #showFolds() {
    const focused = focusedIn(this.#list);
    for (const [index, item] of this.#items.entries()) this.#showFold(index, item);
    this.#head.setOpen(this.#folds.length, this.#isOpen);
    if (focused) this.#keepFocus(focused);
  }
  #foldAt(index) {
    return this.#folds.find(({ first, last }) => first <= index && index <= last);
  }
  #showFold(index, item) {
    const fold = this.#foldAt(index);
    const isOpen2 = !fold || this.#open.has(fold.key);
    item.element.hidden = !isOpen2 && index !== fold.first;
    if (fold?.first === index) item.fold(fold, isOpen2, () => this.#toggle(index));
    else item.unfold();
  }
  #toggle(first) {
    const key = this.#foldAt(first)?.key ?? "";
    if (!this.#open.delete(key)) this.#open.add(key);
    this.#showFolds();
  }
  get #isOpen() {
    return this.#folds.every(({ key }) => this.#open.has(key));
  }
  #toggleAll() {
    const keys = this.#isOpen ? [] : this.#folds.map(({ key }) => key);
    this.#open = new Set(keys);
    this.#showFolds();
  }
  #keepFocus(focused) {
    const index = this.#items.findIndex(({ element: element2 }) => element2.contains(focused));
    const fold = this.#foldAt(index);
    if (!fold || this.#open.has(fold.key)) return;
    const first = this.#items[fold.first];
    if (focused !== first?.element && !focused.matches(".fold")) first?.focusFold();
  }
};
var MIN_AXIS_MS = 4e3;
var MIN_LENGTH = 0.01;
function spansOf(steps, now_ms, learned = /* @__PURE__ */ new Map()) {
  const started = steps.flatMap((step) => step.status === "pending" || !step.started_at ? [] : [step]);
  const times = started.map((step) => {
    const from_ms = Date.parse(step.started_at ?? "");
    const [to_ms, expected_ms2] = [from_ms + elapsed_ms(step, now_ms), usual_ms(step, learned)];
    const end_ms = step.status === "running" ? Math.max(to_ms, from_ms + (expected_ms2 || 0)) : to_ms;
    return { step, from_ms, to_ms, end_ms, expected_ms: expected_ms2 };
  });
  const begin_ms = Math.min(...times.map(({ from_ms }) => from_ms));
  const axis_ms = Math.max(MIN_AXIS_MS, Math.max(...times.map(({ end_ms }) => end_ms)) - begin_ms);
  const spans = times.map(({ step, from_ms, to_ms, expected_ms: expected_ms2 }) => {
    const length = Math.max(MIN_LENGTH, (to_ms - from_ms) / axis_ms);
    const start = Math.min((from_ms - begin_ms) / axis_ms, 1 - length);
    const expectedLength = Math.min(1 - start, expected_ms2 / axis_ms);
    return { step, start, length, expectedLength, expected_ms: expected_ms2, isUsual: learned.has(step.name) };
  });
  return { spans, axis_ms };
}
function kindOf({ expected_ms: expected_ms2, isUsual }) {
  if (Number.isNaN(expected_ms2)) return null;
  return isUsual ? "usual" : "expected";
}
var ROW_PX = 24;
var BAR_PX = 10;
var EXPECTED_PX = 18;
var AXIS_PX = 20;
var TICKS = [[0, "start"], [0.5, "middle"], [1, "end"]];
var TimelineChart = class {
  element = makeSvg("svg", { width: "100%", "aria-hidden": "true", class: "timeline-chart" });
  show(spans, axis_ms, pointed) {
    const height = spans.length * ROW_PX;
    this.element.setAttribute("height", String(height + AXIS_PX));
    const grid = TICKS.flatMap(([at, anchor]) => {
      const x = `${at * 100}%`;
      const label = makeSvg("text", { x, y: height + 15, "text-anchor": anchor }, clock(at * axis_ms));
      return [makeSvg("line", { x1: x, x2: x, y1: 0, y2: height }), label];
    });
    const expected = spans.flatMap((span, row) => span.expectedLength > 0 ? [rectangle(kindOf(span) ?? "", row, EXPECTED_PX, span.start, span.expectedLength)] : []);
    const bars = spans.map(({ step, start, length }, row) => rectangle(step.conclusion ?? step.status, row, BAR_PX, start, length));
    bars[pointed]?.classList.add("pointed");
    this.#update([...grid, ...expected, ...bars]);
  }
  #update(nodes) {
    const shown = [...this.element.children];
    if (shown.length !== nodes.length) {
      this.element.replaceChildren(...nodes);
      return;
    }
    nodes.forEach((node, index) => {
      const target = shown[index];
      if (!target) return;
      for (const { name, value } of node.attributes) {
        if (target.getAttribute(name) !== value) target.setAttribute(name, value);
      }
      setText(target, node.textContent ?? "");
    });
  }
};
function rectangle(kind, row, height, start, length) {
  const y = row * ROW_PX + (ROW_PX - height) / 2;
  return makeSvg("rect", { class: kind, x: percent(start), width: percent(length), y, height, rx: height / 2 });
}
var percent = (part) => `${(part * 100).toFixed(3)}%`;
var TimelineRows = class {
  names = make("ol", "timeline-names");
  readout = make("p", "timeline-readout");
  #onPoint;
  #pointed = -1;
  constructor(label, onPoint) {
    this.#onPoint = onPoint;
    this.names.setAttribute("role", "list");
    this.names.ariaLabel = label;
    this.readout.ariaHidden = "true";
    this.names.addEventListener("keydown", (event) => this.#move(event));
    this.names.addEventListener("focusin", ({ target }) => this.#point(this.#rows.indexOf(rowOf(target))));
    this.names.addEventListener("focusout", () => this.#point(-1));
  }
  get pointed() {
    return this.#pointed;
  }
  get #rows() {
    return [...this.names.children];
  }
  watch(body) {
    for (const type of ["pointermove", "pointerdown"]) {
      body.addEventListener(type, ({ clientY }) => {
        this.#point(Math.floor((clientY - this.names.getBoundingClientRect().top) / ROW_PX));
      });
    }
    body.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType !== "touch") this.#point(-1);
    });
  }
  show(spans, details) {
    for (const row of this.#rows.slice(spans.length)) row.remove();
    if (spans.length && !this.#rows.some(({ tabIndex }) => tabIndex === 0)) this.#stopAt(0);
    for (const [index, span] of spans.entries()) {
      const [name, more] = (this.#rows[index] ?? this.#append(index)).children;
      if (name) setText(name, span.step.name);
      if (more) setText(more, ` ${details(span)}`);
    }
  }
  read(nodes) {
    fill(this.readout, nodes);
  }
  #append(index) {
    const row = make("li", "", isolated(""), make("span", "visually-hidden"));
    row.tabIndex = index ? -1 : 0;
    this.names.append(row);
    return row;
  }
  #point(row) {
    const pointed = row < this.#rows.length ? Math.max(-1, row) : -1;
    if (pointed === this.#pointed) return;
    this.#pointed = pointed;
    this.#onPoint(pointed);
  }
  #move(event) {
    const index = this.#rows.indexOf(rowOf(event.target));
    const last = this.#rows.length - 1;
    const targets = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: last };
    const target = targets[event.key] ?? -1;
    if (target < 0 || target > last) return;
    event.preventDefault();
    this.#stopAt(target);
    this.#rows[target]?.focus();
  }
  #stopAt(index) {
    for (const [each, row] of this.#rows.entries()) row.tabIndex = each === index ? 0 : -1;
  }
};
function rowOf(target) {
  return target;
}
var SECOND_MS4 = 1e3;
function spanWords({ step, ...span }, language2, now_ms) {
  const isRunning = step.status === "running";
  const took_ms2 = isRunning && now_ms === void 0 ? 0 : elapsed_ms(step, now_ms ?? 0);
  const attempt = attemptText(step, language2);
  const kind = kindOf(span);
  return language2.joined([stateText(step, language2), timesOf(step, language2), ...took_ms2 < SECOND_MS4 ? [] : [language2.text(isRunning ? "running_for" : "took", durationOf(took_ms2))], ...kind ? [language2.text(`timeline_${kind}`, durationOf(span.expected_ms))] : [], ...attempt ? [attempt] : []]);
}
function timesOf({ started_at, completed_at }, language2) {
  const from = language2.time(Date.parse(started_at ?? ""));
  const to = completed_at ? language2.time(Date.parse(completed_at)) : "";
  if (!to) return language2.text("timeline_since", { from });
  return from === to ? from : language2.text("timeline_span", { from, to });
}
var durationOf = (duration_ms) => ({ duration: { duration_ms } });
var KINDS = ["usual", "expected"];
var OPEN_UP_TO = 12;
var Timeline = class {
  #language;
  #chart = new TimelineChart();
  #rows;
  #cells = make("tbody");
  #expectations;
  #shownCells = "";
  #shown = { steps: [], now_ms: 0, learned: /* @__PURE__ */ new Map() };
  constructor(language2) {
    this.#language = language2;
    this.#rows = new TimelineRows(`${language2.text("timeline")}. ${language2.text("timeline_hint")}`, () => this.#draw());
    this.#expectations = { usual: this.#expectation("usual"), expected: this.#expectation("expected") };
    const legends = Object.values(this.#expectations).map(({ legend }) => legend);
    const body = make("div", "timeline-body", this.#rows.names, this.#chart.element);
    this.#rows.watch(body);
    this.element = make("details", "timeline", make("summary", "", language2.text("timeline")), body, make("div", "timeline-foot", this.#rows.readout, make("div", "timeline-legends", ...legends)), make("div", "visually-hidden", this.#table()));
    this.element.hidden = true;
    this.element.addEventListener("toggle", () => this.#draw());
  }
  #expectation(kind) {
    const legend = make("p", `timeline-legend ${kind}`, this.#language.text(kind));
    legend.ariaHidden = "true";
    return { head: this.#head(`column_${kind}`), legend };
  }
  #table() {
    const keys = ["column_step", "column_state", "column_started", "column_took"];
    const expectations = Object.values(this.#expectations).map(({ head }) => head);
    const heads = [...keys.map((key) => this.#head(key)), ...expectations];
    const caption = make("caption", "", this.#language.text("timeline"));
    return make("table", "", caption, make("thead", "", make("tr", "", ...heads)), this.#cells);
  }
  #head(key) {
    const head = make("th", "", this.#language.text(key));
    head.scope = "col";
    return head;
  }
  show(steps, now_ms, learned) {
    const isFirst = this.#shown.steps.length === 0;
    this.#shown = { steps, now_ms, learned };
    this.element.hidden = !steps.some(({ status }) => status !== "pending");
    if (isFirst) this.element.open = steps.length <= OPEN_UP_TO;
    this.#draw();
  }
  #draw() {
    const { steps, now_ms, learned } = this.#shown;
    if (!this.element.open || this.element.hidden) return;
    const { spans, axis_ms } = spansOf(steps, now_ms, learned);
    for (const kind of KINDS) {
      const { head, legend } = this.#expectations[kind];
      head.hidden = !spans.some((span) => kindOf(span) === kind);
      legend.hidden = head.hidden;
    }
    this.#rows.show(spans, (span) => spanWords(span, this.#language));
    this.#chart.show(spans, axis_ms, this.#rows.pointed);
    this.#rows.read(this.#readout(spans[this.#rows.pointed], now_ms));
    this.#showCells(spans);
  }
  #readout(span, now_ms) {
    if (!span) return [];
    return nodesOf(this.#language, "part", { part: span.step.name, text: spanWords(span, this.#language, now_ms) });
  }
  #showCells(spans) {
    const kinds = KINDS.filter((kind) => !this.#expectations[kind].head.hidden);
    const rows = spans.map(({ step, ...span }) => [step.name, stateText(step, this.#language), this.#language.time(Date.parse(step.started_at ?? "")), step.status === "running" ? "" : this.#language.duration(step.elapsed_ms), ...kinds.map((kind) => kindOf(span) === kind ? this.#language.duration(span.expected_ms) : "")]);
    const json = JSON.stringify(rows);
    if (json === this.#shownCells) return;
    this.#shownCells = json;
    this.#cells.replaceChildren(...rows.map((cells) => make("tr", "", ...cells.map((cell2) => make("td", "", isolated(cell2))))));
  }
};
var SessionCard = class {
  headline;
  #links;
  #facts;
  #bar;
  #controls;
  #list;
  #log;
  #timeline;
  constructor(language2, root, options) {
    const { controls, loadParts, log, hasSigns } = options;
    this.headline = new SessionHeadline(language2, options.heading);
    this.#links = new SessionLinks(language2);
    this.#facts = new SessionFacts(language2, root);
    this.#bar = new OverallBar(options.barName);
    this.#controls = controls;
    this.#log = log;
    this.#list = new StepList(language2, { loadParts, hasSigns });
    this.#timeline = options.hasTimeline ? new Timeline(language2) : null;
    const [request, failure] = controls.elements;
    const state = make("div", "state", ...this.headline.elements, request);
    const steps = options.isCompact ? closed(language2.text("steps"), this.#list.element) : this.#list.element;
    const parts = [state, this.#facts.element, this.#links.element, this.#bar.element, this.#facts.note, failure, steps, log.element];
    this.element = make("section", "card", ...parts, ...this.#timeline ? [this.#timeline.element] : []);
  }
  attach(step, element2) {
    this.#list.attach(step, element2);
  }
  show(state, now_ms, { sentence, timeLeft: timeLeft2, isConnected: isConnected2 }) {
    const { data, known, verified_ms } = state;
    this.headline.show(sentence, state);
    this.#links.show(data);
    this.#facts.show(state, now_ms, timeLeft2, isConnected2);
    this.#bar.show(state, isConnected2 ? now_ms : verified_ms);
    this.#controls.show(data);
    this.#list.show(data.steps, now_ms);
    this.#log.show(data);
    this.#timeline?.show(data.steps, now_ms, known.learned);
  }
};
function closed(summary, steps) {
  return make("details", "steps-details", make("summary", "", summary), steps);
}
function failuresOf(data) {
  const failed = failedSteps(data);
  const ofSteps = failed.map(failureOf);
  const { status, error = "" } = data;
  const isTold = error ? failed.some((step) => step.error === error) : failed.length > 0;
  return status !== "error" || isTold ? ofSteps : [failureOfAll(data, error), ...ofSteps];
}
function failureOf({ step, name, error, conclusion }) {
  const key = conclusion === "cancelled" || conclusion === "lost" ? `failure_${conclusion}` : "failure";
  return { key, values: { step, name }, error };
}
function failureOfAll(data, error) {
  const conclusion = conclusionOf(data);
  return { key: conclusion ? `failure_${conclusion}_whole` : "failure_whole", values: {}, error };
}
var MOST = 3;
var FailureReport = class {
  #language;
  #alert = make("div", "alert");
  #others = make("div", "other-failures");
  #all = makeButton("all", "");
  #retry;
  #actions;
  #failures = [];
  constructor(language2, { announce, onRetry }) {
    this.#language = language2;
    this.#alert.role = "alert";
    this.#retry = makeButton("retry", language2.text("retry"));
    this.#retry.addEventListener("click", onRetry);
    this.#actions = make("p", "actions", copyButton(language2.texts, () => this.#text(), announce), this.#all, this.#retry);
    this.#actions.hidden = true;
    this.#others.hidden = true;
    this.#all.addEventListener("click", () => {
      this.#others.hidden = !this.#others.hidden;
      this.#showAll();
    });
    this.element = make("div", "failure", this.#alert, this.#others, this.#actions);
  }
  show(data, { canRetry, isSending }) {
    this.#failures = failuresOf(data);
    this.#actions.hidden = this.#failures.length === 0;
    this.#retry.hidden = !canRetry;
    setBusy(this.#retry, isSending, this.#language.text(isSending ? "sending" : "retry"));
    const nodes = this.#failures.map((failure) => this.#nodes(failure));
    fill(this.#alert, nodes.slice(0, MOST).flat());
    fill(this.#others, nodes.slice(MOST).flat());
    this.#showAll();
  }
  #showAll() {
    const count = this.#failures.length;
    this.#all.hidden = count <= MOST;
    this.#all.ariaExpanded = String(!this.#others.hidden);
    const text = this.#others.hidden ? this.#language.text("parts_all", { count }) : this.#language.text("show_fewer");
    setText(this.#all, text);
  }
  #nodes({ key, values, error }) {
    const title = make("p", "failed-step", ...nodesOf(this.#language, key, values));
    if (!error) return [title];
    const text = make("pre", "error-text", isolated(error));
    text.tabIndex = 0;
    return [title, text];
  }
  #text() {
    return this.#failures.map(({ key, values, error }) => [this.#language.text(key, values), error].filter(Boolean).join("\n")).join("\n\n");
  }
};
var ConfirmDialog = class {
  element = make("dialog", "dialog");
  #language;
  #question = make("p", "dialog-question");
  constructor(language2, onConfirm) {
    this.#language = language2;
    const keep = makeButton("keep", language2.text("cancel_not"));
    const confirm = makeButton("confirm", language2.text("cancel_confirm"));
    keep.addEventListener("click", () => this.close());
    confirm.addEventListener("click", () => {
      this.close();
      onConfirm();
    });
    const hint = make("p", "quiet", language2.text("cancel_hint"));
    this.element.append(this.#question, hint, make("p", "actions", keep, confirm));
  }
  open(name) {
    if (this.element.open) return;
    fill(this.#question, nodesOf(this.#language, "cancel_question", { name }));
    this.element.ariaLabel = this.#language.text("cancel_question", { name });
    this.element.showModal();
  }
  close() {
    if (this.element.open) this.element.close();
  }
};
var RequestRow = class {
  element = make("div", "request");
  #language;
  #requests;
  #button;
  #text = make("p", "request-text");
  #dialog;
  constructor(language2, requests, jobName) {
    this.#language = language2;
    this.#requests = requests;
    this.#button = makeButton("cancel", language2.text("cancel"));
    this.#dialog = new ConfirmDialog(language2, () => void requests.ask("cancel"));
    this.#button.addEventListener("click", () => {
      if (!requests.sending) this.#dialog.open(jobName());
    });
    this.#text.tabIndex = -1;
    this.#text.hidden = true;
    this.element.hidden = true;
    this.element.append(this.#button, this.#text, this.#dialog.element);
  }
  show(data) {
    const { isAllowed, sending } = this.#requests;
    const isOffered = isAllowed !== false && canAsk("cancel", data);
    if (!isOffered) this.#dialog.close();
    this.#button.hidden = !isOffered;
    this.#button.toggleAttribute("data-unknown", isAllowed === null);
    setBusy(this.#button, sending !== null, this.#language.text(sending ? "sending" : "cancel"));
    const sentence = this.#sentence(data);
    this.element.dataset.look = sentence?.look ?? "";
    show(this.#text, sentence ? nodesOf(this.#language, sentence.key, sentence.values) : []);
    this.element.hidden = !isOffered && !sentence;
  }
  #sentence(data) {
    const { failure } = this.#requests;
    const sentence = requestSentence(data);
    const isOpen2 = sentence?.look === "asked" || sentence?.look === "seen";
    return failure && !isOpen2 ? { look: "ended", key: failure, values: {} } : sentence;
  }
  focus() {
    this.#text.focus();
    return !this.#text.hidden;
  }
  close() {
    this.#dialog.close();
  }
};
var SessionRequests = class {
  sending = null;
  failure = null;
  isAllowed = null;
  #isChecking = false;
  #status = null;
  #own = /* @__PURE__ */ new Set();
  #onChange;
  #tracker = null;
  #signal = new AbortController().signal;
  constructor(onChange) {
    this.#onChange = onChange;
  }
  start(tracker, signal) {
    this.#tracker = tracker;
    this.#signal = signal;
    this.sending = null;
    this.failure = null;
    this.isAllowed = null;
    this.#isChecking = false;
  }
  forgetRight() {
    if (this.isAllowed === false) this.isAllowed = null;
  }
  update({ accepts = [], status }) {
    if (status !== this.#status) this.failure = null;
    this.#status = status;
    if (this.isAllowed === null && !this.#isChecking && accepts.length) void this.#checkRight();
  }
  async #checkRight() {
    this.#isChecking = true;
    const signal = this.#signal;
    const isAllowed = await this.#tracker?.mayRequest({ signal }).catch(() => false);
    if (signal.aborted) return;
    this.#isChecking = false;
    this.isAllowed = isAllowed ?? false;
    this.#onChange();
  }
  async ask(kind) {
    const tracker = this.#tracker;
    if (!tracker || this.sending) return;
    const signal = this.#signal;
    this.sending = kind;
    this.failure = null;
    this.#onChange();
    const failure = await this.send(kind, { signal }).then(() => null, failureOf2);
    if (signal.aborted) return;
    this.sending = null;
    this.failure = failure;
    this.#onChange();
  }
  async send(kind, options) {
    const tracker = this.#tracker;
    if (!tracker) throw new Error("no session is followed");
    const following = this.#signal;
    try {
      const request = await tracker.request(kind, options);
      this.#own.add(request.id);
      const isShown = tracker.data?.requests?.some(({ id }) => id === request.id);
      if (!isShown && !following.aborted) await tracker.poll();
      return request;
    } catch (error) {
      if (following.aborted) throw error;
      const { status } = error;
      if (status === 409) await tracker.poll();
      if (isDenial(status)) this.#deny();
      throw error;
    }
  }
  #deny() {
    this.isAllowed = false;
    this.#onChange();
  }
  isOwn(request) {
    return request !== null && this.#own.has(request.id);
  }
};
function isDenial(status) {
  return status === 401 || status === 403;
}
function failureOf2({ status }) {
  if (status === 409) return null;
  return isDenial(status) ? "request_denied" : "request_unanswered";
}
var SessionControls = class {
  elements;
  #requests;
  #row;
  #failure;
  #language;
  #options;
  #announced = null;
  constructor(language2, options) {
    this.#language = language2;
    this.#options = options;
    this.#requests = new SessionRequests(options.onChange);
    this.#row = new RequestRow(language2, this.#requests, options.jobName);
    this.#failure = new FailureReport(language2, { announce: options.announce, onRetry: () => this.#onRetry() });
    this.elements = [this.#row.element, this.#failure.element];
  }
  start(tracker, signal) {
    this.#requests.start(tracker, signal);
    signal.addEventListener("abort", () => this.#row.close());
  }
  onConnected() {
    this.#requests.forgetRight();
  }
  isOwn(request) {
    return this.#requests.isOwn(request);
  }
  show(data) {
    this.#requests.update(data);
    const [focused] = this.elements.flatMap((element2) => focusedIn(element2) ?? []);
    this.#row.show(data);
    this.#announceFailure();
    this.#failure.show(data, { canRetry: this.#canRetry(data), isSending: this.#requests.sending !== null });
    if (!focused?.matches(".cancel, .retry, .request-text") || !focused.closest("[hidden]")) return;
    if (!this.#row.focus()) this.#options.onFocusLost();
  }
  #announceFailure() {
    const { failure } = this.#requests;
    if (failure && failure !== this.#announced) this.#options.announce(this.#language.text(failure));
    this.#announced = failure;
  }
  #canRetry(data) {
    return this.#options.retry() !== null || this.#requests.isAllowed === true && canAsk("retry", data);
  }
  #onRetry() {
    const retry = this.#options.retry();
    if (retry) retry();
    else void this.#requests.ask("retry");
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
var SessionHead = class {
  badge;
  #language;
  #label;
  #title = make("p", "title");
  #job;
  #times = make("p", "times");
  #labels = make("ul", "labels");
  constructor(language2, root, { sessionId, label, tools, home }) {
    this.#language = language2;
    this.#label = label;
    this.badge = new ConnectionBadge(language2, root);
    const id = isolated(label ?? sessionId, "session-id");
    const word = make("span", "session-word", `${language2.text("session")} `);
    this.#job = make("p", "job", ...label === void 0 ? [word, id] : [id]);
    this.#labels.ariaLabel = language2.text("labels");
    this.#labels.setAttribute("role", "list");
    for (const part of [this.#title, this.#times, this.#labels]) part.hidden = true;
    const about = make("div", "about-job", this.#title, make("div", "job-line", this.#job, this.#times), this.#labels);
    this.element = make("header", "head", ...home ? [home] : [], about, make("div", "head-side", this.badge.element, ...tools ? [tools] : []));
  }
  show({ data, isDeleted }, now_ms) {
    const title = this.#label === void 0 ? data.title ?? "" : "";
    show(this.#title, title ? [isolated(title)] : []);
    this.element.toggleAttribute("data-titled", title !== "");
    show(this.#times, isDeleted ? [] : this.#timeNodes(data, now_ms));
    const labels = Object.entries(data.labels ?? {});
    show(this.#labels, labels.map(([name, value]) => make("li", "label", ...nodesOf(this.#language, "label", { name, value }))));
  }
  #timeNodes(data, now_ms) {
    const started_ms = startedAt_ms(data);
    if (Number.isNaN(started_ms)) return [];
    const time = this.#language.moment(started_ms, now_ms);
    const duration_ms = data.status === "running" ? Math.max(0, now_ms - started_ms) : took_ms(data);
    const key = data.status === "running" ? "running_for" : "took";
    return [make("span", "started", ...nodesOf(this.#language, "started", { time })), ...data.status === "completed" || duration_ms < 1e3 ? [] : [make("span", "total", ...nodesOf(this.#language, key, { duration: { duration_ms } }))]];
  }
};
var ESCAPES = /(?:\u001b\[|\u009b)([0-?]*)([ -/]*[@-~])|\u001b[\]P^_X][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g;
var UNFIT2 = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
var COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
var WEIGHTS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline" };
var ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"] };
function piecesOf(text) {
  const pieces = [];
  const look = { colour: "", weights: /* @__PURE__ */ new Set() };
  let from = 0;
  for (const match of text.matchAll(ESCAPES)) {
    add(pieces, text.slice(from, match.index), look);
    from = match.index + match[0].length;
    if (match[2] === "m") change(look, match[1] ?? "");
  }
  add(pieces, text.slice(from), look);
  return pieces;
}
function plainText(text) {
  return piecesOf(text).map((piece) => piece.text).join("");
}
function add(pieces, raw, { colour, weights }) {
  const text = raw.replace(UNFIT2, "");
  const classes = [colour, ...weights].filter(Boolean).map((name) => `ansi-${name}`);
  if (text) pieces.push({ text, look: classes.join(" ") });
}
function change(look, parameters) {
  if (!/^[\d;:]*$/.test(parameters)) return;
  const codes = parameters.split(";").map((code) => Number(code.split(":")[0]));
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [kind, index = NaN] = codes.slice(at + 1);
      if (code === 38) look.colour = kind === 5 ? colourOf(index % 8, index < 16) : "";
      at += kind === 5 ? 2 : 4;
    } else {
      apply(look, code);
    }
  }
}
function apply(look, code) {
  const [weight, ended] = [WEIGHTS[code], ENDS[code]];
  if (code === 0) look.weights.clear();
  if (code === 0 || code === 39) look.colour = "";
  if (weight) look.weights.add(weight);
  for (const end of ended ?? []) look.weights.delete(end);
  if (code >= 30 && code <= 37 || code >= 90 && code <= 97) look.colour = colourOf(code % 10, true);
}
function colourOf(index, isNamed) {
  return isNamed && COLOURS[index] || "";
}
var MAX_LINES = 5e3;
var MAX_ALL_LINES = 2e4;
var LogLines = class {
  #byStep = /* @__PURE__ */ new Map();
  get isEmpty() {
    return this.#byStep.size === 0;
  }
  of(step) {
    return this.#byStep.get(step) ?? NONE;
  }
  add({ isNew, lines, missed }) {
    const changed = new Set(isNew ? this.#byStep.keys() : []);
    if (isNew) this.#byStep.clear();
    const added = /* @__PURE__ */ new Map();
    for (const [index, { n, at, step, level, text }] of lines.entries()) {
      const entry = { n, at_ms: Date.parse(at), level, text, plain: plainText(text), missed: index ? 0 : missed };
      const entries = added.get(step);
      if (entries) entries.push(entry);
      else added.set(step, [entry]);
    }
    for (const [step, entries] of added) {
      this.#byStep.set(step, [...this.of(step), ...entries].slice(-MAX_LINES));
      changed.add(step);
    }
    return /* @__PURE__ */ new Set([...changed, ...this.#dropSurplus()]);
  }
  #dropSurplus() {
    const changed = [];
    let surplus = [...this.#byStep.values()].reduce((sum, { length }) => sum + length, -MAX_ALL_LINES);
    while (surplus > 0) {
      const [step, entries] = [...this.#byStep].reduce((a, b) => firstOf(a[1]) < firstOf(b[1]) ? a : b);
      if (entries.length > surplus) this.#byStep.set(step, entries.slice(surplus));
      else this.#byStep.delete(step);
      changed.push(step);
      surplus -= entries.length;
    }
    return changed;
  }
};
function firstOf([first]) {
  return first?.n ?? Infinity;
}
var NONE = [];
function matchesIn(text, words) {
  const found = [];
  if (!words) return found;
  const [all, sought] = [text.toLowerCase(), words.toLowerCase()];
  if (all.length !== text.length) return all.includes(sought) ? [[0, text.length]] : found;
  for (let at = all.indexOf(sought); at >= 0; at = all.indexOf(sought, at + sought.length)) {
    found.push([at, at + sought.length]);
  }
  return found;
}
function fileOf(entries) {
  return entries.map(({ at_ms, level, plain }) => {
    const label = level === "info" ? "" : ` ${level.toUpperCase()}`;
    return `${new Date(at_ms).toISOString()}${label} ${plain}
`;
  }).join("");
}
function rowsOf(entry, language2, words) {
  const row = make("div", "log-line");
  row.dataset.level = entry.level;
  row.dataset.n = String(entry.n);
  row.append(make("span", "log-time", language2.time(entry.at_ms)), " ");
  if (entry.level !== "info") row.append(make("span", "log-level", language2.text(`level_${entry.level}`)), " ");
  const text = isolated("", "log-text");
  text.append(...textNodes(entry, words));
  row.append(text);
  return entry.missed && !words ? [gap(entry, language2), row] : [row];
}
function gap({ n, missed }, language2) {
  const row = make("div", "log-gap", ...nodesOf(language2, language2.plural("log_missed", missed), { count: missed }));
  row.dataset.n = String(n);
  return row;
}
function textNodes({ text, plain }, words) {
  const ranges = matchesIn(plain, words);
  const nodes = [];
  let at = 0;
  for (const piece of piecesOf(text)) {
    const parts = cut(piece.text, at, ranges).map(({ text: text2, isFound }) => isFound ? make("mark", "", text2) : text2);
    if (piece.look) nodes.push(make("span", piece.look, ...parts));
    else nodes.push(...parts.map((part) => typeof part === "string" ? document.createTextNode(part) : part));
    at += piece.text.length;
  }
  return nodes;
}
function cut(text, start, ranges) {
  const parts = [];
  let done = 0;
  for (const [from, to] of ranges) {
    const [begin, end] = [Math.max(from - start, done), Math.min(to - start, text.length)];
    if (begin >= end) continue;
    if (begin > done) parts.push({ text: text.slice(done, begin), isFound: false });
    parts.push({ text: text.slice(begin, end), isFound: true });
    done = end;
  }
  if (done < text.length) parts.push({ text: text.slice(done), isFound: false });
  return parts;
}
var NEAR_PX = 16;
var SEARCH_MS = 150;
var DOWNLOAD_MS = 6e4;
var LogPanel = class {
  element;
  #language;
  #options;
  #count = make("span", "log-count");
  #search = make("input", "log-search");
  #found = make("span", "log-found");
  #end;
  #rows = make("div", "log-rows");
  #label = "";
  #empty = make("p", "log-empty");
  #entries = [];
  #drawn = [];
  #words = "";
  #matches = 0;
  #isFollowing = true;
  #scrolledTo = 0;
  #searching;
  constructor(language2, label, title, options) {
    this.#language = language2;
    this.#options = options;
    this.#end = makeButton("log-end", language2.text("log_follow"));
    this.#rows.tabIndex = 0;
    this.#rows.setAttribute("role", "group");
    const summary = make("summary", "log-summary", title, this.#count);
    this.element = make("details", "log", summary, this.#tools(), this.#empty, this.#rows, this.#end);
    this.label = label;
    this.element.addEventListener("toggle", () => this.#onToggle());
    this.#rows.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#end.addEventListener("click", () => this.#follow());
    new ResizeObserver(() => this.#onResize()).observe(this.#rows);
  }
  get isOpen() {
    return this.element.open;
  }
  set isOpen(value) {
    this.element.open = value;
  }
  get label() {
    return this.#label;
  }
  set label(label) {
    if (label === this.#label) return;
    this.#label = label;
    this.#rows.ariaLabel = label;
    this.#search.ariaLabel = `${this.#language.texts.log_search}: ${label}`;
  }
  show(entries, note) {
    this.#entries = entries;
    setText(this.#count, entries.length ? ` ${this.#language.number(entries.length)}` : "");
    setText(this.#empty, note);
    this.#empty.hidden = entries.length > 0 || !note;
    if (this.isOpen) this.#draw();
  }
  #tools() {
    const { texts: texts2 } = this.#language;
    this.#search.type = "search";
    this.#search.placeholder = texts2.log_search;
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#searching);
      this.#searching = setTimeout(() => this.#find(), SEARCH_MS);
    });
    this.#found.setAttribute("role", "status");
    const copy = copyButton(texts2, () => this.#text(), this.#options.announce);
    const download = makeButton("log-download", texts2.log_download);
    download.addEventListener("click", () => this.#download());
    return make("div", "log-tools", this.#search, this.#found, copy, download);
  }
  #onToggle() {
    if (this.isOpen) {
      this.#draw();
      this.#follow();
    } else {
      this.#clear();
    }
    this.#options.onToggle();
  }
  #clear() {
    this.#rows.replaceChildren();
    this.#drawn = [];
    this.#matches = 0;
  }
  #draw() {
    const last = this.#drawn.at(-1);
    const known = last ? this.#entries.lastIndexOf(last) + 1 : 0;
    if (known === 0) this.#clear();
    this.#dropBefore(this.#entries[0]?.n ?? 0);
    this.#append(this.#entries.slice(known));
    this.#drawn = this.#entries;
    this.#rows.hidden = this.#entries.length === 0;
    this.#showFound();
    if (this.#isFollowing) this.#scrollToEnd();
  }
  #dropBefore(n) {
    let row = this.#rows.firstElementChild;
    while (row && Number(row.dataset.n) < n) {
      if (row.classList.contains("log-line")) this.#matches--;
      row.remove();
      row = this.#rows.firstElementChild;
    }
  }
  #append(entries) {
    const shown = this.#words ? entries.filter(({ plain }) => matchesIn(plain, this.#words).length) : entries;
    this.#matches += shown.length;
    this.#rows.append(...shown.flatMap((entry) => rowsOf(entry, this.#language, this.#words)));
  }
  #onScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.#rows;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR_PX;
    if (isAtEnd || scrollTop < this.#scrolledTo) this.#isFollowing = isAtEnd;
    this.#scrolledTo = scrollTop;
    this.#end.hidden = this.#isFollowing;
  }
  #onResize() {
    if (this.#isFollowing) this.#scrollToEnd();
  }
  #follow() {
    const hadFocus = this.#end.matches(":focus");
    this.#isFollowing = true;
    this.#end.hidden = true;
    this.#scrollToEnd();
    if (hadFocus) this.#rows.focus();
  }
  #scrollToEnd() {
    this.#rows.scrollTop = this.#rows.scrollHeight;
  }
  #find() {
    this.#words = this.#search.value.trim();
    this.#clear();
    this.#draw();
  }
  #showFound() {
    const count = this.#matches;
    setText(this.#found, this.#words ? this.#language.text(this.#language.plural("log_found", count), { count }) : "");
  }
  #text() {
    return fileOf(this.#entries);
  }
  #download() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([this.#text()], { type: "text/plain;charset=utf-8" }));
    link.download = this.#options.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
  }
};
var SessionLog = class {
  #language;
  #options;
  #lines = new LogLines();
  #own;
  #panels = /* @__PURE__ */ new Map();
  #data = null;
  #tracker = null;
  #signal = new AbortController().signal;
  #following = null;
  #isKnown = false;
  #changed = /* @__PURE__ */ new Set();
  constructor(language2, options) {
    this.#language = language2;
    this.#options = options;
    this.#own = this.#makePanel(null, language2.text("log_session"));
    this.element.hidden = true;
  }
  get element() {
    return this.#own.element;
  }
  start(tracker, signal) {
    this.#tracker = tracker;
    this.#signal = signal;
    this.#following = null;
    this.#isKnown = false;
    this.#followOrNot();
  }
  show(data) {
    this.#data = data;
    this.element.hidden = !data.log;
    for (const step of data.steps) {
      const isShown = this.#isShown(step);
      if (isShown && !this.#panels.has(step.step)) this.#addPanel(step);
      const panel = this.#panels.get(step.step);
      if (!panel) continue;
      panel.label = this.#labelOf(step);
      this.#place(panel, step.step, isShown);
    }
    for (const [number, panel] of this.#panels) if (number > data.steps.length) panel.element.hidden = true;
    for (const step of this.#changed) this.#panelOf(step)?.show(this.#lines.of(step), this.#note(step));
    this.#changed.clear();
  }
  #place({ element: element2 }, step, isShown) {
    element2.hidden = !isShown;
    if (isShown && element2.getRootNode() !== this.element.getRootNode()) this.#options.attach(step, element2);
  }
  toggle() {
    if (!this.#data?.log) return;
    const open = [this.#own, ...this.#panels.values()].filter(({ isOpen: isOpen2 }) => isOpen2);
    if (open.length) {
      for (const panel2 of open) panel2.isOpen = false;
      return;
    }
    const shown = [...this.#panels.values()].filter(({ element: element2 }) => !element2.hidden);
    const panel = shown.at(-1) ?? this.#own;
    const steps = this.element.parentElement?.querySelector("details.steps-details");
    steps?.setAttribute("open", "");
    panel.isOpen = true;
    panel.element.querySelector("summary")?.focus();
  }
  #isShown({ step, status }) {
    if (!this.#data?.log) return false;
    const isOfInterest = status === "running" || status === "error";
    return this.#lines.of(step).length > 0 || isOfInterest && !this.#isKnown || (this.#panels.get(step)?.isOpen ?? false);
  }
  #addPanel(added) {
    const { step } = added;
    const panel = this.#makePanel(step, this.#labelOf(added));
    this.#panels.set(step, panel);
    this.#options.attach(step, panel.element);
    this.#changed.add(step);
  }
  #labelOf({ step, name }) {
    return this.#language.text("log_step", { step, name });
  }
  #makePanel(step, label) {
    const { sessionId, announce } = this.#options;
    const name = sessionId.replace(/[^\w.-]+/g, "_");
    const file = step === null ? `${name}.log.txt` : `${name}-${step}.log.txt`;
    const title = step === null ? label : this.#language.text("log");
    return new LogPanel(this.#language, label, title, { file, announce, onToggle: () => this.#followOrNot() });
  }
  #note(step) {
    if (!this.#isKnown) return "";
    return this.#language.text(step === null && !this.#lines.isEmpty ? "log_of_steps" : "log_empty");
  }
  #panelOf(step) {
    return step === null ? this.#own : this.#panels.get(step);
  }
  #followOrNot() {
    const isOpen2 = [this.#own, ...this.#panels.values()].some((panel) => panel.isOpen);
    if (!isOpen2) this.#unfollow();
    if (!isOpen2 || this.#following || !this.#tracker || this.#signal.aborted) return;
    const following = new AbortController();
    this.#following = following;
    this.#signal.addEventListener("abort", () => following.abort(), { signal: following.signal });
    this.#tracker.followLog((update) => this.#take(update), { signal: following.signal });
  }
  #unfollow() {
    this.#following?.abort();
    this.#following = null;
    this.#isKnown = false;
  }
  #take(update) {
    this.#isKnown = update.life !== "";
    for (const step of [null, ...this.#panels.keys(), ...this.#lines.add(update)]) this.#changed.add(step);
    this.#options.onChange();
  }
};
var SessionNews = class {
  #language;
  #headlineOf;
  #before = null;
  #isLate = false;
  constructor(language2, headlineOf2) {
    this.#language = language2;
    this.#headlineOf = headlineOf2;
  }
  next(state, { words, isLate }) {
    const [before, isNewlyLate] = [this.#before, isLate && !this.#isLate];
    this.#before = state;
    this.#isLate = isLate;
    if (!before) return "";
    const milestone = milestoneOf(before, state);
    const time = isNewlyLate || milestone?.key === "milestone" ? words : "";
    const reached = this.#language.joined([this.#textOf(milestone), time].filter(Boolean));
    return [reached, this.#textOf(this.#requestNews(before, state))].filter(Boolean).join(". ");
  }
  #textOf(sentence) {
    return sentence ? this.#language.text(sentence.key, sentence.values) : "";
  }
  #requestNews(before, state) {
    if (!hasNewRequest(before.data, state.data)) return null;
    return cancellationOf(state.data) ? this.#headlineOf(state) : requestSentence(state.data);
  }
};
var MIN_GRACE_MS = 2e3;
var GRACE_PART = 20;
var grace_ms = (whole_ms) => Math.max(MIN_GRACE_MS, whole_ms / GRACE_PART);
function timeLeft(state, now_ms) {
  if (state.data.status !== "running") return null;
  const { data, known } = state;
  return data.time ? leftByTime(data, known.learned, startedAt_ms(data), now_ms) : leftByEstimates(state, now_ms);
}
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
function leftByEstimates(state, now_ms) {
  const step = runningStep(state);
  const expected_ms2 = step ? estimate_ms(state, step) : Infinity;
  if (step && elapsed_ms(step, now_ms) > expected_ms2 + grace_ms(expected_ms2)) return "longer_than_expected";
  const left_ms = Math.min(state.leastLeft_ms, estimatedLeft_ms(state, now_ms));
  return (left_ms > 0 || step) && left_ms < Infinity ? { p50_ms: left_ms, p90_ms: left_ms } : null;
}
function estimatedLeft_ms(state, now_ms) {
  if (!hasOwnSteps(state)) return Infinity;
  const step = runningStep(state);
  const left_ms = step ? Math.max(0, estimate_ms(state, step) - elapsed_ms(step, now_ms)) : 0;
  return state.data.estimated_remaining_ms + left_ms;
}
function needsOwnSteps({ data }) {
  const { status, steps, time, open_ended } = data;
  const isDeclared = steps.some(({ estimated_ms }) => estimated_ms !== void 0);
  return status === "running" && !time && !open_ended && !isDeclared;
}
function hasOwnSteps(state) {
  const { data, known } = state;
  const left = known.own.slice(data.current_step);
  return needsOwnSteps(state) && known.own.length === data.total_steps && data.steps.every(({ name }, index) => name === known.own[index]?.name) && left.reduce((sum, step) => sum + (step.estimated_ms ?? NaN), 0) === data.estimated_remaining_ms;
}
function runningStep({ data }) {
  const step = data.steps[data.current_step - 1];
  return step?.status === "running" ? step : void 0;
}
function estimate_ms(state, { step }) {
  return hasOwnSteps(state) ? state.known.own[step - 1]?.estimated_ms ?? Infinity : Infinity;
}
function nextState(before, data, now_ms) {
  return movedOn(updatedState(before, data, now_ms), now_ms);
}
function movedOn(state, now_ms) {
  const percentage = Math.floor(percentageAt(state, now_ms));
  return percentage > state.percentage ? { ...state, percentage } : state;
}
function knowing(state, known, now_ms) {
  const { updatedPercentage: percentage } = state;
  return movedOn({ ...state, percentage, known: { ...state.known, ...known } }, now_ms);
}
function updatedState(before, data, now_ms) {
  const json = JSON.stringify(data);
  if (!before || isAnotherRun(before.data, data)) return firstState(before, data, json, now_ms);
  const leastLeft_ms = Math.min(before.leastLeft_ms, estimatedLeft_ms(before, now_ms));
  if (json === before.json) return { ...before, verified_ms: now_ms, leastLeft_ms };
  const retried = retriedStep(before.data, data);
  const hasMoreSteps = hasGrown(before.data, data);
  const reported = percentageOf(data);
  const isRunning = (step) => data.steps[step - 1]?.status === "running";
  const isRestarted = isRunning(retried);
  const isRetrying = isRestarted || isRunning(before.retried);
  const mayFall = retried > 0 || hasMoreSteps || hasFailedSince(before.data, data);
  const percentage = mayFall ? reported : Math.max(reported, before.percentage);
  return { data, json, percentage, updatedPercentage: percentage, retried: isRetrying ? isRestarted ? retried : before.retried : 0, isSetBack: isRestarted ? reported < before.percentage : isRetrying && before.isSetBack, isDeleted: false, run: before.run, reported_ms: reported_ms(before, data, now_ms), verified_ms: now_ms, leastLeft_ms: retried || hasMoreSteps ? Infinity : leastLeft_ms, known: before.known };
}
function firstState(before, data, json, now_ms) {
  const isReporting = data.steps.some((step) => step.status === "running" && step.progress);
  const known = { ...before?.known ?? NOTHING_KNOWN, learned: NOTHING_KNOWN.learned };
  const percentage = percentageOf(data);
  return { data, json, percentage, updatedPercentage: percentage, retried: 0, isSetBack: false, isDeleted: data.status === "not_found" && before !== null, run: (before?.run ?? 0) + 1, reported_ms: isReporting ? now_ms : lastTransition_ms(data) || now_ms, verified_ms: now_ms, leastLeft_ms: Infinity, known };
}
function reported_ms(before, data, now_ms) {
  const last_ms = lastTransition_ms(data);
  const isTransition = last_ms > lastTransition_ms(before.data);
  return isTransition ? Math.min(now_ms, Math.max(before.verified_ms, last_ms)) : now_ms;
}
function isAnotherRun(before, data) {
  const started = before.steps.filter(startedAt);
  const isGone = started.some(({ step }) => !startedAt(data.steps[step - 1]));
  const isAnew = started.every((step) => startedAt(step) !== startedAt(data.steps[step.step - 1]));
  return before.status === "not_found" !== (data.status === "not_found") || before.total_steps !== data.total_steps && !hasGrown(before, data) || isGone || before.status === "completed" && started.length > 0 && isAnew;
}
function hasGrown(before, data) {
  return before.open_ended === true && data.open_ended === true && data.total_steps > before.total_steps;
}
function retriedStep(before, data) {
  const retried = data.steps.find((step, index) => {
    const started = startedAt(before.steps[index]);
    return started && started !== startedAt(step);
  });
  return retried?.step ?? 0;
}
function hasFailedSince(before, data) {
  return data.steps.some((step, index) => step.status === "error" && before.steps[index]?.status !== "error");
}
function lastTransition_ms(data) {
  const times = data.steps.flatMap((step) => step.status === "pending" ? [] : [step.started_at, step.completed_at]);
  return Math.max(0, ...times.map((time) => Date.parse(time ?? "") || 0));
}
var StepTimes = class {
  #onKnown;
  #asked = /* @__PURE__ */ new Set();
  #run = 0;
  constructor(onKnown) {
    this.#onKnown = onKnown;
  }
  update(state, tracker, signal) {
    this.#run = state.run;
    if (needsOwnSteps(state)) {
      void this.#ask("own", signal, async () => ({ own: await tracker.serverSteps({ signal }) }));
    }
    if (state.data.time?.basis === "history") {
      void this.#ask(state.run, signal, async () => ({ learned: learnedFrom(await tracker.steps({ signal })) }));
    }
  }
  async #ask(what, signal, ask) {
    if (this.#asked.has(what)) return;
    this.#asked.add(what);
    try {
      const known = await ask();
      if (what === "own" || what === this.#run) this.#onKnown(known);
    } catch {
      if (signal.aborted) this.#asked.delete(what);
    }
  }
};
var SECOND_MS5 = 1e3;
var MINUTE_MS4 = 60 * SECOND_MS5;
var CLOCK_GRAIN_MS = 10 * MINUTE_MS4;
var LONG_MS = 59 * MINUTE_MS4;
var MAX_APART = 0.2;
var TOO_LONG_MS = 300 * 24 * 60 * MINUTE_MS4;
function timeWords(left, now_ms, language2) {
  if (left === null) return "";
  if (typeof left === "string") return language2.text(left);
  const { p50_ms, p90_ms } = left;
  if (p90_ms >= TOO_LONG_MS) return "";
  if (p90_ms >= LONG_MS) return clockWords(left, now_ms, language2);
  const grain_ms = p90_ms <= 50 * SECOND_MS5 ? 10 * SECOND_MS5 : MINUTE_MS4;
  const [low, high] = [Math.round(p50_ms / grain_ms), Math.ceil(p90_ms / grain_ms)];
  const areNear = p90_ms <= (1 + MAX_APART) * p50_ms || low === high || low === Math.round(p90_ms / grain_ms);
  if (areNear || p90_ms < grain_ms) {
    return language2.text("time_left", { time: language2.roughly(p90_ms) });
  }
  const duration = language2.duration(high * grain_ms);
  if (low === 0) return language2.text("usually_within", { duration });
  const unit_ms = grain_ms < MINUTE_MS4 ? SECOND_MS5 : MINUTE_MS4;
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
var TICK_MS = 1e3;
var SessionView = class {
  element = make("article", "session");
  #sessionId;
  #options;
  #language;
  #head;
  #controls;
  #log;
  #card;
  #stepTimes;
  #news;
  #running = new AbortController();
  #tracker = null;
  #nextRun = new NextRunWatch(() => this.#lookForNextRun());
  #sessionState = null;
  #drawn = null;
  #frame = 0;
  #isCatchingUp = true;
  constructor(sessionId, options) {
    const { language: language2, label, tools, home, hasSigns = false, isCompact = false } = options;
    this.#sessionId = sessionId;
    this.#options = options;
    this.#language = language2;
    this.#head = new SessionHead(language2, this.element, { sessionId, label, tools, home });
    this.#controls = new SessionControls(language2, { announce: options.announce, jobName: () => label ?? this.data?.title ?? sessionId, retry: () => this.#ownRetry(), onChange: () => this.#drawSoon(), onFocusLost: () => this.#card.headline.focus() });
    this.#log = new SessionLog(language2, { sessionId, announce: options.announce, attach: (step, panel) => this.#card.attach(step, panel), onChange: () => this.#drawSoon() });
    this.#card = new SessionCard(language2, this.element, { heading: options.heading, barName: this.#barName(), hasTimeline: options.timeline, isCompact, hasSigns, loadParts: (step) => this.#loadParts(step), controls: this.#controls, log: this.#log });
    this.#stepTimes = new StepTimes((known) => this.#learn(known));
    this.#news = new SessionNews(language2, (state) => this.#headlineOf(state));
    this.element.lang = language2.tag;
    this.element.dir = "ltr";
    this.element.dataset.status = "connecting";
    this.element.toggleAttribute("data-compact", isCompact);
    this.element.append(this.#head.element, this.#card.element);
  }
  get data() {
    return this.#sessionState?.data ?? null;
  }
  get sessionState() {
    return this.#sessionState;
  }
  set retry(retry) {
    this.#options = { ...this.#options, retry: retry ?? null };
    this.#drawSoon();
  }
  start() {
    this.#running = new AbortController();
    const { signal } = this.#running;
    const tracker = new ProgressTracker(this.#sessionId, { ...this.#options.tracker, stopOnError: false, onUpdate: (data) => void (signal.aborted || this.#update(data)), signal });
    this.#tracker = tracker;
    this.#controls.start(tracker, signal);
    this.#log.start(tracker, signal);
    tracker.addEventListener("statechange", () => this.#onStateChange(tracker), { signal });
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#head.badge.update(tracker.state, tracker.interval), { signal });
    }
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticker));
    void tracker.start();
    if (this.#options.isPreloaded && "EventSource" in globalThis) void tracker.poll();
  }
  toggleLog() {
    this.#log.toggle();
  }
  stop() {
    this.#running.abort();
    this.#nextRun.stop();
    this.#head.badge.stop();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
  #barName() {
    const { label } = this.#options;
    if (label !== void 0) return label;
    return this.#isAlone ? this.#language.text("progress") : this.#language.text("progress_of", { name: this.#sessionId });
  }
  get #isAlone() {
    return this.#options.heading === "h1";
  }
  #ownRetry() {
    const { retry } = this.#options;
    return retry ? () => void (this.data && retry(this.#sessionId, this.data)) : null;
  }
  #update(data) {
    const tracker = this.#tracker;
    if (!tracker) return;
    const before = this.#sessionState;
    if (before && !isConnected(tracker) && before.json === JSON.stringify(data)) return;
    this.#sessionState = nextState(before, data, tracker.now());
    this.#stepTimes.update(this.#sessionState, tracker, this.#running.signal);
    if (this.#sessionState.json !== before?.json) this.#options.onchange?.(this.#sessionState);
    this.#drawSoon();
  }
  async #loadParts(step) {
    return await this.#tracker?.parts(step, { signal: this.#running.signal }) ?? [];
  }
  #learn(known) {
    if (!this.#sessionState || !this.#tracker) return;
    this.#sessionState = knowing(this.#sessionState, known, this.#tracker.now());
    this.#drawSoon();
  }
  #onStateChange(tracker) {
    const { state } = tracker;
    if (state === "denied" && this.data?.status === "completed") return;
    this.#head.badge.update(state, tracker.interval);
    if (state === "connecting" || state === "reconnecting") this.#isCatchingUp = true;
    if (state === "denied" && !this.#sessionState) this.#card.headline.deny();
    if (state === "finished") this.#nextRun.start();
    if (state === "live" || state === "polling") this.#controls.onConnected();
    this.#options.onstatechange?.(state);
    this.#drawSoon();
  }
  async #lookForNextRun() {
    const { signal } = this.#running;
    await this.#tracker?.poll();
    if (signal.aborted || this.data?.status === "completed") return;
    this.#nextRun.stop();
    void this.#tracker?.start();
  }
  #tick() {
    const [state, tracker] = [this.#sessionState, this.#tracker];
    if (state?.data.status !== "running" || !tracker?.polling) return;
    this.#sessionState = isConnected(tracker) ? movedOn(state, tracker.now()) : state;
    if (this.#sessionState !== state) this.#options.onmove?.();
    this.#drawSoon();
  }
  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }
  #draw() {
    this.#frame = 0;
    const state = this.#sessionState;
    if (!state || !this.#tracker) return;
    const now_ms = this.#tracker.now();
    const { data } = state;
    const isSettled = isConnected(this.#tracker);
    this.#showMotion(isSettled, state !== this.#drawn);
    this.element.dataset.status = state.isDeleted ? "deleted" : data.status;
    this.element.dataset.conclusion = conclusionOf(data) ?? "";
    this.#head.show(state, now_ms);
    const left = timeLeft(state, now_ms);
    const words = timeWords(left, now_ms, this.#language);
    const sentence = this.#headlineOf(state);
    this.#card.show(state, now_ms, { sentence, timeLeft: words, isConnected: isSettled });
    const news = this.#news.next(state, { words, isLate: typeof left === "string" });
    if (news) this.#announce(news);
    this.#drawn = state;
    this.#options.ondraw?.(data);
  }
  #headlineOf({ data, isDeleted }) {
    return headlineOf(data, isDeleted, (request) => this.#controls.isOwn(request));
  }
  #showMotion(isSettled, isUpdate) {
    this.element.toggleAttribute("data-moving", isSettled && !this.#isCatchingUp);
    if (isSettled && isUpdate) this.#isCatchingUp = false;
  }
  #announce(text) {
    const name = this.#options.label ?? this.#sessionId;
    this.#options.announce(this.#isAlone ? text : this.#language.text("announcement", { name, text }));
  }
};
function isConnected({ state }) {
  return state === "live" || state === "polling" || state === "finished";
}
var CSS = `/* Written by build.js from the files in styles/. */
/* styles/base.css */
:root,
:host {
  --ground: light-dark(#f5f6f9, #0d1117);
  --card: light-dark(#ffffff, #161b24);
  --line: light-dark(#e3e6ed, #2b323e);
  --text: light-dark(#18202c, #e8ebf1);
  --quiet: light-dark(#596273, #9ca7b7);
  --track: light-dark(#e8eaf1, #0a0e14);
  --code: light-dark(#f5f6f9, #10151c);
  --accent: light-dark(#4f46e5, #8f95fa);
  --fill: light-dark(#4f46e5, #5a52ea);
  --fill-end: light-dark(#7152ea, #7a55ee);
  --good: light-dark(#14763a, #4ade80);
  --good-fill: light-dark(#15803d, #167a3d);
  --warn: light-dark(#8f5205, #fbbf24);
  --bad: light-dark(#b81c2b, #ff8b91);
  --bad-fill: #c01f2e;
  --off-fill: #5b6474;
  --bad-ground: light-dark(#fdf2f2, #29181c);
  --radius: 0.875rem;
  --mono:
    ui-monospace,
    "SF Mono",
    Menlo,
    Consolas,
    "DejaVu Sans Mono",
    "Noto Sans Mono CJK JP",
    monospace;
  --shadow: 0 1px 2px light-dark(rgb(24 32 44 / 5%), rgb(0 0 0 / 40%)), 0 16px 40px -20px light-dark(rgb(24 32 44 / 20%), rgb(0 0 0 / 70%));
}
:host {
  display: block;
}
:host([hidden]) {
  display: none;
}
*,
::before,
::after {
  box-sizing: border-box;
}
.session {
  container-type: inline-size;
  contain-intrinsic-inline-size: 34rem;
}
body,
.session {
  color: var(--text);
  font-size: 1rem;
  line-height: 1.5;
  font-variant-numeric: tabular-nums;
  word-break: auto-phrase;
}
p,
h1,
h2,
pre {
  margin: 0;
}
[hidden] {
  display: none !important;
}
.visually-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.quiet {
  color: var(--quiet);
  font-size: 0.9375rem;
}
.card,
:host .session {
  padding: clamp(1rem, 3.5vw, 1.75rem);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  box-shadow: var(--shadow);
}
:host .card {
  padding: 0;
  border: 0;
  box-shadow: none;
}
.sessions {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 1.5rem;
}
.title,
.links,
.labels,
.job,
.headline,
.failed-step,
.request-text,
.dialog-question,
.name,
.message {
  overflow: clip;
  overflow-clip-margin: 0.25em;
}
summary {
  font-weight: 650;
  cursor: pointer;
}
@media print {
  details:not([open]) {
    display: none;
  }
  summary {
    list-style: none;
  }
}
.button {
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: inherit;
  font: inherit;
  font-size: 0.8125rem;
  font-weight: 600;
  cursor: pointer;
}
.button:hover:enabled {
  border-color: var(--accent);
  color: var(--accent);
}
.button:disabled,
.button[aria-disabled=true] {
  color: var(--quiet);
  cursor: default;
}
:is(summary, .button, input, a, .error-text, .headline, .request-text, .parts-list, .timeline-names li, .steps > li):focus-visible {
  border-radius: 0.375rem;
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}

/* styles/icons.css */
.drawing {
  flex: none;
  width: 1rem;
  height: 1rem;
  fill: none;
  stroke: currentcolor;
  stroke-width: 1.5;
  stroke-linecap: round;
  stroke-linejoin: round;
}
.icon-solid {
  fill: currentcolor;
  stroke: none;
}
.icon-faint {
  opacity: 0.3;
}
.icon-inverse {
  stroke: var(--card);
  stroke-width: 1.75;
}
:is(.state-icon, .icon, .fold-icon) {
  color: var(--quiet);
}
:is(.state-icon, .icon, .fold-icon):has(.drawing-success) {
  color: var(--good);
}
:is(.state-icon, .icon):has(.drawing-error, .drawing-lost) {
  color: var(--bad);
}
:is(.state-icon, .icon):has(.drawing-running) {
  color: var(--accent);
}
:is(.state-icon, .icon):has(.drawing-stalled) {
  color: var(--warn);
}
.drawing-running {
  animation: turn 1.1s linear infinite;
}
.state-icon > .drawing {
  display: block;
  width: 1.625rem;
  height: 1.625rem;
}

/* styles/head.css */
.head {
  display: grid;
  grid-template-columns: minmax(0, 1fr) auto;
  align-items: start;
  gap: 0 1rem;
  margin: 0 0.25rem 0.75rem;
}
:host .head {
  margin-inline: 0;
}
.about-job {
  display: contents;
}
.head-side {
  grid-area: 1 / 2;
}
.job-line,
.labels {
  grid-column: 1 / -1;
}
.head:not([data-titled]) .job-line {
  grid-area: 1 / 1;
}
@container (max-width: 34rem) {
  .head {
    row-gap: 0.25rem;
  }
  .head-side {
    grid-area: 1 / 1 / 2 / -1;
    justify-content: space-between;
  }
  .head:not([data-titled]) .job-line {
    grid-area: 2 / 1 / 3 / -1;
  }
}
.title {
  font-size: 1.25rem;
  font-weight: 700;
  letter-spacing: -0.01em;
  line-height: 1.3;
  overflow-wrap: anywhere;
}
.job-line {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.75rem;
  color: var(--quiet);
  font-size: 0.875rem;
}
.job {
  min-width: 0;
  overflow-wrap: anywhere;
}
.session-id {
  color: var(--text);
  font-weight: 600;
}
.head:not([data-titled]) .session-id {
  font-size: 1.0625rem;
  font-weight: 700;
}
[data-titled] .session-id {
  color: inherit;
  font-weight: 500;
}
.times {
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.75rem;
}
.times > span:not(:first-child)::before {
  margin-inline-end: 0.75rem;
  content: "·" / "";
}
.labels {
  display: flex;
  flex-wrap: wrap;
  gap: 0.25rem;
  margin: 0.375rem 0 0;
  padding: 0;
  list-style: none;
}
.label {
  max-width: 100%;
  padding: 0.0625rem 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  color: var(--quiet);
  font-size: 0.75rem;
  overflow-wrap: anywhere;
}
.head-side {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.5rem;
  min-height: 2rem;
}
.connection {
  --tone: var(--quiet);
  display: flex;
  flex: none;
  align-items: center;
  gap: 0.5rem;
  padding: 0.1875rem 0.75rem 0.1875rem 0.625rem;
  border: 1px solid color-mix(in srgb, var(--tone) 32%, transparent);
  border-radius: 2rem;
  background: color-mix(in srgb, var(--tone) 7%, var(--card));
  color: var(--tone);
  font-size: 0.8125rem;
  font-weight: 600;
  white-space: nowrap;
}
.connection::before {
  width: 0.625rem;
  height: 0.625rem;
  border: 2px solid var(--tone);
  border-radius: 50%;
  content: "";
}
[data-connection=live] .connection {
  --tone: var(--good);
}
[data-connection=live] .connection::before {
  background: var(--tone);
  animation: breathe 2.4s ease-in-out infinite;
}
[data-connection=reconnecting] .connection {
  --tone: var(--warn);
}
:is([data-connection=reconnecting], [data-connection=connecting]) .connection::before {
  border-right-color: transparent;
  animation: turn 1s linear infinite;
}
[data-connection=polling] .connection {
  --tone: var(--accent);
}
:is([data-connection=offline], [data-connection=denied]) .connection {
  --tone: var(--bad);
}
:is([data-connection=offline], [data-connection=denied]) .connection::before {
  width: 0.75rem;
  height: 0.75rem;
  background:
    linear-gradient(
      45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%);
}
[data-connection=finished] .connection::before {
  width: 0.375rem;
  height: 0.6875rem;
  margin: -0.1875rem 0.125rem 0;
  border-width: 0 2px 2px 0;
  border-radius: 0;
  transform: rotate(45deg);
}

/* styles/state.css */
.state {
  display: flex;
  flex-wrap: wrap;
  align-items: start;
  gap: 0.375rem 0.625rem;
}
.state-icon {
  flex: none;
  padding-top: calc((1.3em - 1.625rem) / 2);
  font-size: clamp(1.25rem, 5vw, 1.5rem);
}
.headline {
  flex: 1 1 9rem;
}
@media screen {
  .headline {
    display: -webkit-box;
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 3;
  }
}
.headline,
.jobs {
  min-width: 0;
  font-size: clamp(1.25rem, 5vw, 1.5rem);
  font-weight: 650;
  letter-spacing: -0.012em;
  line-height: 1.3;
  overflow-wrap: anywhere;
}
h2.headline,
p.headline {
  font-size: 1.125rem;
  letter-spacing: 0;
}
.state:has(> :is(h2, p)) > .state-icon {
  padding-top: calc((1.3em - 1.375rem) / 2);
  font-size: 1.125rem;
}
.state:has(> :is(h2, p)) > .state-icon > .drawing {
  width: 1.375rem;
  height: 1.375rem;
}
[data-status=completed] .headline {
  color: var(--good);
}
[data-status=error] .headline {
  color: var(--bad);
}
:is([data-status=error][data-conclusion=cancelled], [data-status=deleted]) .headline {
  color: var(--quiet);
}
.facts {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0 1rem;
  min-height: 1.5em;
  margin-top: 0.25rem;
  color: var(--quiet);
  font-size: 0.9375rem;
}
.note {
  display: flex;
  gap: 0.5rem;
  margin-top: 0.625rem;
  color: var(--quiet);
  font-size: 0.875rem;
}
.note-icon > .drawing {
  display: block;
  margin-top: 0.1875rem;
}
[data-silent] .note {
  color: var(--warn);
  font-weight: 600;
}
.links {
  display: flex;
  flex-wrap: wrap;
  gap: 0.25rem 1rem;
  margin: 0.375rem 0 0;
  padding: 0;
  font-size: 0.875rem;
  list-style: none;
  overflow-wrap: anywhere;
}
.link {
  color: var(--accent);
}
.link > .drawing {
  width: 0.75rem;
  height: 0.75rem;
  margin-inline-start: 0.25rem;
  vertical-align: -0.0625rem;
}
:is([data-status=completed], [data-status=error]) .links {
  gap: 0.5rem;
  margin-top: 0.75rem;
}
:is([data-status=completed], [data-status=error]) .link {
  display: inline-block;
  padding: 0.375rem 0.875rem;
  border: 1px solid var(--accent);
  border-radius: 0.5rem;
  font-weight: 600;
  text-decoration: none;
}
:is([data-status=completed], [data-status=error]) .link:hover {
  text-decoration: underline;
}
[data-status=completed] li:first-child > .link {
  border-color: var(--fill);
  background: var(--fill);
  color: #fff;
}

/* styles/bar.css */
.bar {
  position: relative;
  isolation: isolate;
  height: 1.625rem;
  margin-top: 0.875rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}
.fill {
  position: relative;
  height: 100%;
  border-radius: inherit;
  background:
    linear-gradient(
      90deg,
      var(--fill),
      var(--fill-end));
  color: #fff;
  font-size: 0.8125rem;
  font-weight: 650;
  line-height: 1.625rem;
  --behind-percent: var(--fill-end);
}
[data-moving] .fill {
  transition: width 300ms ease-out;
}
[data-moving] .bar[data-timed] .fill {
  transition: width 1s linear;
}
.segment-end {
  position: absolute;
  inset-block: 0;
  width: 2px;
  margin-left: -1px;
  background: light-dark(var(--card), var(--line));
}
.percent {
  position: absolute;
  right: 0.5rem;
  z-index: 1;
  padding-inline: 0.25rem;
  background:
    linear-gradient(
      90deg,
      transparent,
      var(--behind-percent) 0.25rem calc(100% - 0.25rem),
      transparent);
}
[data-narrow] .percent {
  right: auto;
  left: calc(100% + 0.375rem);
  color: var(--text);
  --behind-percent: var(--track);
}
[data-status=running] .fill::after {
  position: absolute;
  inset: 0;
  border-radius: inherit;
  background:
    linear-gradient(
      90deg,
      transparent,
      rgb(255 255 255 / 24%),
      transparent) -80% 0 / 40% 100% no-repeat;
  animation: sheen 2.4s ease-in-out infinite;
  content: "";
}
[data-status=completed] .fill {
  background: var(--good-fill);
  --behind-percent: var(--good-fill);
}
[data-status=error] .fill {
  background:
    repeating-linear-gradient(
      -45deg,
      var(--bad-fill) 0 0.75rem,
      #a91524 0.75rem 1.5rem);
  --behind-percent: var(--bad-fill);
}
[data-status=error][data-conclusion=cancelled] .fill {
  background:
    repeating-linear-gradient(
      -45deg,
      var(--off-fill) 0 0.75rem,
      #687182 0.75rem 1.5rem);
  --behind-percent: var(--off-fill);
}
:is([data-connection=reconnecting], [data-connection=offline], [data-silent]):not([data-status=completed]) .fill {
  filter: saturate(0.35);
}
:is([data-status=not_found], [data-status=connecting]) .percent {
  background: none;
}
:is([data-status=not_found], [data-status=connecting]) .bar {
  background:
    linear-gradient(
      90deg,
      transparent 30%,
      color-mix(in srgb, var(--accent) 22%, transparent) 50%,
      transparent 70%) var(--track);
  background-size: 300% 100%;
  animation: drift 3s linear infinite;
}
[data-connection=denied][data-status=connecting] :is(.bar, .facts) {
  display: none;
}

/* styles/request.css */
.request {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.375rem 0.75rem;
  max-width: 100%;
}
.request-text {
  color: var(--quiet);
  font-size: 0.8125rem;
  font-weight: 600;
  overflow-wrap: anywhere;
}
.request:is([data-look=asked], [data-look=seen]) .request-text {
  padding: 0.25rem 0.75rem;
  border: 1px dashed var(--accent);
  border-radius: 0.5rem;
  color: var(--accent);
}
.request[data-look=seen] .request-text {
  border: 1px solid var(--fill);
  background: var(--fill);
  color: #fff;
}
.request [data-unknown] {
  visibility: hidden;
}
.dialog {
  width: min(26rem, calc(100vw - 2rem));
  padding: 1.25rem;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  color: var(--text);
  box-shadow: var(--shadow);
}
.dialog::backdrop {
  background: rgb(0 0 0 / 45%);
}
.dialog-question {
  margin-bottom: 0.25rem;
  font-size: 1.125rem;
  font-weight: 650;
  overflow-wrap: anywhere;
}
.dialog .actions {
  flex-wrap: wrap;
  justify-content: flex-end;
  margin-top: 1.125rem;
}
.button.confirm {
  border-color: var(--bad-fill);
  background: var(--bad-fill);
  color: #fff;
}
.button.confirm:hover:enabled {
  border-color: #a91524;
  background: #a91524;
  color: #fff;
}

/* styles/failure.css */
.failure:not(:has(> .alert:empty)) {
  margin-top: 1.125rem;
  padding: 0.875rem 1rem;
  border: 1px solid color-mix(in srgb, var(--bad) 30%, transparent);
  border-inline-start: 4px solid var(--bad);
  border-radius: 0.625rem;
  background: var(--bad-ground);
}
[data-status=error][data-conclusion=cancelled] .failure:not(:has(> .alert:empty)) {
  border-color: var(--line);
  background: none;
}
.failed-step {
  font-weight: 650;
  overflow-wrap: anywhere;
}
.error-text {
  margin-top: 0.375rem;
  max-height: 16rem;
  overflow: auto;
  font: 0.8125rem / 1.6 var(--mono);
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.other-failures,
.error-text + .failed-step {
  margin-top: 0.875rem;
}
.actions {
  display: flex;
  gap: 0.5rem;
  margin-top: 0.75rem;
}

/* styles/steps.css */
.steps-section {
  margin-top: 1rem;
}
.steps-section:has(> .steps:empty) {
  display: none;
}
.steps {
  margin: 0;
  padding: 0;
  list-style: none;
}
.steps > li {
  position: relative;
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.625rem;
  padding-block: 0.25rem;
  scroll-margin-block: 4rem;
}
.steps > li:not(:last-child)::before {
  position: absolute;
  top: 1.75rem;
  bottom: -0.25rem;
  left: calc(0.625rem - 1px);
  width: 2px;
  border-radius: 1px;
  background: var(--line);
  content: "";
}
.steps > [data-status=success]:not(:last-child)::before {
  background: color-mix(in srgb, var(--good) 45%, var(--line));
}
.icon {
  flex: none;
  width: 1.25rem;
  height: 1.5rem;
}
.icon > .drawing {
  display: block;
  width: 1.25rem;
  height: 1.25rem;
  margin-top: 0.125rem;
}
.sign {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
[data-status=pending] > .icon {
  opacity: 0.7;
}
.about {
  flex: 1;
  min-width: 0;
}
.line {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.75rem;
}
.name {
  flex: 1 1 0;
  min-width: min(100%, 5.5rem);
  overflow-wrap: anywhere;
}
[data-long] > li .name::before {
  counter-reset: number var(--number);
  margin-inline-end: 0.5rem;
  color: var(--quiet);
  font-size: 0.875rem;
  font-weight: 400;
  content: counter(number) / "";
}
[data-status=pending] > .about .name,
[data-conclusion=skipped] > .about .name {
  color: var(--quiet);
}
[data-status=running] > .about .name {
  font-weight: 650;
}
[data-status=error] > .about .name {
  font-weight: 600;
}
:is(.elapsed, .outcome, .attempt, .limit) {
  flex: none;
  color: var(--quiet);
  font-size: 0.875rem;
}
:is(.outcome, .attempt, .limit):empty,
.elapsed:not(:has(.duration:not(:empty))) {
  display: none;
}
.elapsed {
  order: 1;
  margin-inline-start: auto;
  white-space: nowrap;
}
.outcome {
  font-weight: 600;
}
[data-conclusion=lost] > .about .outcome {
  color: var(--bad);
}
.limit,
[data-over-limit] .elapsed {
  color: var(--warn);
  font-weight: 600;
}
.message {
  display: block;
  max-width: 44rem;
  color: var(--quiet);
  font-size: 0.875rem;
  overflow-wrap: anywhere;
  white-space: pre-line;
}
.message:empty {
  display: none;
}
.message[data-cut] {
  display: -webkit-box;
  overflow: hidden;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 3;
}
.more {
  padding: 0;
  border: 0;
  background: none;
  color: var(--accent);
}
.inside {
  display: flex;
  align-items: center;
  gap: 0.75rem;
  margin-top: 0.125rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}
.gauge {
  --tone: var(--accent);
  flex: 1;
  height: 0.375rem;
  max-width: 22rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}
.gauge-fill {
  display: block;
  height: 100%;
  border-radius: inherit;
  background: var(--tone);
}
[data-moving] .gauge-fill {
  transition: width 300ms ease-out;
}
[data-endless] .gauge-fill {
  background:
    linear-gradient(
      -45deg,
      var(--tone) 25%,
      transparent 25% 50%,
      var(--tone) 50% 75%,
      transparent 75%) 0 0 / 0.75rem 0.75rem;
  animation: pass 1.2s linear infinite;
}
[data-over-limit] .gauge {
  --tone: var(--warn);
}
.count {
  white-space: nowrap;
}
.steps-head {
  position: sticky;
  top: 0;
  z-index: 2;
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
  justify-content: flex-end;
  margin-bottom: 0.25rem;
  padding-block: 0.375rem;
  background: var(--card);
}
.steps-head > .jump {
  border-color: var(--accent);
  color: var(--accent);
}
.steps-head > [data-target=failed] {
  border-color: var(--bad);
  color: var(--bad);
}
.steps-head > [data-target=cancelled] {
  border-color: var(--quiet);
  color: var(--quiet);
}
.fold {
  display: flex;
  flex: 1 0 100%;
  align-items: center;
  gap: 0.5rem;
  min-height: 2rem;
  margin-bottom: 0.25rem;
  padding: 0.25rem 0.625rem 0.25rem 0.125rem;
  border-color: transparent;
  background: color-mix(in srgb, var(--track) 55%, var(--card));
  color: var(--quiet);
  text-align: start;
}
.fold-icon > .drawing {
  display: block;
}
.fold > .drawing-chevron {
  order: 1;
  width: 0.875rem;
  height: 0.875rem;
}
.fold[aria-expanded=true] > .drawing-chevron {
  transform: rotate(90deg);
}
.fold-text {
  flex: 1;
}
.fold-took {
  font-weight: 400;
}
[data-folded] > :not(.fold) {
  display: none !important;
}
.steps > [data-folded] > .fold {
  margin-bottom: 0;
}
.steps > li:has(> .fold:not([hidden]))::before {
  display: none;
}
@media print {
  .steps > li[hidden] {
    display: flex !important;
  }
  [data-folded] > :not(.fold) {
    display: block !important;
  }
  .steps-head,
  .more,
  .steps > li > .fold {
    display: none !important;
  }
  .message[data-cut] {
    display: block;
  }
}

/* styles/parts.css */
.parts {
  margin-top: 0.25rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}
.cells {
  display: flex;
  flex-wrap: wrap;
  gap: 3px;
  margin: 0.25rem 0 0;
  padding: 0;
  list-style: none;
}
.cells > li {
  --tone: color-mix(in srgb, var(--quiet) 65%, var(--card));
  position: relative;
  width: 0.75rem;
  height: 0.75rem;
  border: 1px solid var(--tone);
  border-radius: 2px;
}
.cells > li:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}
.cells[data-many] > li {
  width: 0.5625rem;
  height: 0.5625rem;
}
.cells > [data-status=success] {
  --tone: var(--good);
  background: var(--tone);
}
.cells > [data-status=running] {
  --tone: var(--accent);
  background:
    linear-gradient(
      to top right,
      var(--tone) 50%,
      transparent 50%);
}
.cells > [data-status=error] {
  --tone: var(--bad);
  border-width: 2px;
  background:
    linear-gradient(
      45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%),
    linear-gradient(
      -45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%);
}
.part-readout {
  margin-top: 0.25rem;
  min-height: 1.5em;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.parts-details > summary {
  font-weight: 600;
}
.parts-list {
  max-height: 15rem;
  margin: 0.25rem 0 0.5rem;
  padding: 0;
  overflow: auto;
  list-style: none;
  overflow-wrap: anywhere;
}
.parts-list > [data-status=error] {
  color: var(--bad);
  font-weight: 600;
}

/* styles/log.css */
.log {
  --ansi-black: var(--quiet);
  --ansi-red: var(--bad);
  --ansi-green: var(--good);
  --ansi-yellow: var(--warn);
  --ansi-blue: light-dark(#1d56c9, #7fb0ff);
  --ansi-magenta: light-dark(#9226a8, #e29bf0);
  --ansi-cyan: light-dark(#0f6675, #5ad4e6);
  --ansi-white: var(--text);
  position: relative;
  margin-top: 0.375rem;
  font-size: 0.8125rem;
}
.card > .log {
  margin-top: 1rem;
}
.steps-details:not([open]) ~ .log {
  display: none;
}
.log-summary {
  color: var(--quiet);
  font-weight: 600;
}
.log-count {
  font-weight: 400;
}
.log-tools {
  display: flex;
  flex-wrap: wrap;
  gap: 0.375rem 0.5rem;
  align-items: center;
  margin-top: 0.375rem;
}
.log-search {
  flex: 1 1 5rem;
  min-width: 0;
  max-width: 16rem;
  padding: 0.25rem 0.5rem;
  border: 1px solid color-mix(in srgb, var(--quiet) 60%, var(--card));
  border-radius: 0.5rem;
  background: var(--card);
  color: var(--text);
  font: inherit;
}
.log-search::placeholder {
  color: var(--quiet);
  opacity: 1;
}
.log-search:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}
.log-found,
.log-empty {
  color: var(--quiet);
}
.log-found:empty {
  position: absolute;
}
.log-empty {
  margin-top: 0.375rem;
}
.log-rows {
  max-height: 20rem;
  margin-top: 0.375rem;
  padding: 0.5rem 0;
  overflow: auto;
  overscroll-behavior: contain;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--code);
  font: 0.75rem / 1.55 var(--mono);
  scrollbar-width: thin;
}
.log-rows:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}
.log-line,
.log-gap {
  padding: 0 0.75rem;
  contain: content;
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.log-gap {
  color: var(--quiet);
  font-style: italic;
}
.log-line:hover {
  background: color-mix(in srgb, var(--quiet) 10%, transparent);
}
.log-line[data-level=warning] {
  box-shadow: inset 3px 0 var(--warn);
}
.log-line[data-level=error] {
  background: color-mix(in srgb, var(--bad) 9%, transparent);
  box-shadow: inset 3px 0 var(--bad);
}
.log-time {
  color: var(--quiet);
  user-select: none;
}
.log-level {
  color: var(--quiet);
  font-weight: 650;
}
[data-level=warning] > .log-level {
  color: var(--warn);
}
[data-level=error] > .log-level {
  color: var(--bad);
}
[data-level=debug] > .log-text {
  color: var(--quiet);
}
.log-text {
  unicode-bidi: isolate;
}
.log-text mark {
  border-radius: 2px;
  background: light-dark(#ffe08a, #6b5200);
  color: light-dark(#18202c, #ffffff);
}
.log-end {
  position: absolute;
  right: 1rem;
  bottom: 0.75rem;
  box-shadow: var(--shadow);
}
.ansi-black {
  color: var(--ansi-black);
}
.ansi-red {
  color: var(--ansi-red);
}
.ansi-green {
  color: var(--ansi-green);
}
.ansi-yellow {
  color: var(--ansi-yellow);
}
.ansi-blue {
  color: var(--ansi-blue);
}
.ansi-magenta {
  color: var(--ansi-magenta);
}
.ansi-cyan {
  color: var(--ansi-cyan);
}
.ansi-white {
  color: var(--ansi-white);
}
.ansi-bold {
  font-weight: 700;
}
.ansi-dim {
  color: var(--quiet);
}
.ansi-italic {
  font-style: italic;
}
.ansi-underline {
  text-decoration: underline;
}
@media print {
  .log-tools,
  .log-end,
  .log:has(> .log-rows[hidden]) {
    display: none !important;
  }
  .log-rows {
    max-height: none;
    overflow: visible;
  }
  .log-line {
    break-inside: avoid;
  }
}

/* styles/timeline.css */
.timeline {
  margin-top: 1.25rem;
  padding-top: 0.875rem;
  border-top: 1px solid var(--line);
}
.timeline > summary {
  color: var(--quiet);
  font-size: 0.875rem;
}
.timeline-body {
  display: grid;
  grid-template-columns: fit-content(32%) minmax(0, 1fr);
  gap: 0.875rem;
  margin-top: 0.625rem;
}
.timeline-names {
  min-width: 0;
  margin: 0;
  padding: 0;
  color: var(--quiet);
  font-size: 0.8125rem;
  line-height: 24px;
  list-style: none;
}
.timeline-names li {
  position: relative;
  height: 24px;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.timeline-chart {
  display: block;
  overflow: visible;
}
.timeline-chart line {
  stroke: var(--line);
}
.timeline-chart text {
  fill: var(--quiet);
  font-size: 0.75rem;
}
.timeline-chart rect {
  --tone: color-mix(in srgb, var(--good) 80%, var(--card));
  fill: var(--tone);
  stroke: var(--tone);
  stroke-width: 2;
}
.timeline-chart :is(.error, .lost, .cancelled) {
  --tone: var(--bad);
  fill: none;
}
.timeline-chart :is(.skipped, .cancelled) {
  --tone: var(--quiet);
}
.timeline-chart .pointed {
  filter: drop-shadow(0 0 3px var(--accent));
}
.timeline-chart :is(.usual, .expected) {
  --tone: var(--line);
}
.timeline-chart .usual {
  stroke: none;
}
.timeline-chart .expected {
  fill: none;
  stroke-dasharray: 3 2;
}
.timeline-foot {
  display: grid;
  align-items: center;
  min-height: 1.25rem;
  margin-block: 0.25rem -0.5rem;
}
.timeline-foot > * {
  grid-area: 1 / 1;
}
.timeline-readout {
  z-index: 1;
  background: var(--card);
  font-size: 0.8125rem;
  overflow-wrap: anywhere;
}
.timeline-legends {
  display: flex;
  flex-wrap: wrap;
  gap: 0 1rem;
  justify-content: flex-end;
}
.timeline-legend {
  display: flex;
  align-items: center;
  gap: 0.5rem;
  color: var(--quiet);
  font-size: 0.75rem;
}
.timeline-legend::before {
  width: 1.75rem;
  height: 0.75rem;
  border-radius: 0.375rem;
  background: var(--line);
  content: "";
}
.timeline-chart .running {
  --tone: var(--accent);
  fill-opacity: 0.5;
  animation: pulse 1.6s ease-in-out infinite;
}
.timeline-legend.expected::before {
  border: 1px dashed var(--line);
  background: none;
}

/* styles/compact.css */
.sessions:has(> [data-compact]) {
  gap: 0.75rem;
}
.session[data-compact],
:host .session[data-compact] {
  padding: 0.75rem 1rem;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  box-shadow: none;
}
[data-compact] > .head {
  margin: 0 0 0.375rem;
}
[data-compact] .head-side {
  min-height: 0;
}
[data-compact] :is(.title, .session-id) {
  font-size: 1rem;
}
[data-compact][data-compact] .session-id {
  font-size: inherit;
}
[data-compact] > .card {
  padding: 0;
  border: 0;
  box-shadow: none;
}
[data-compact] .headline {
  font-size: 1rem;
}
[data-compact] .state > .state-icon {
  padding-top: 0.0625rem;
  font-size: 1rem;
}
[data-compact] .state > .state-icon > .drawing {
  width: 1.25rem;
  height: 1.25rem;
}
[data-compact] .facts {
  margin-top: 0;
  font-size: 0.875rem;
}
[data-compact] .bar {
  height: 1.25rem;
  margin-top: 0.375rem;
}
[data-compact] .fill {
  font-size: 0.75rem;
  line-height: 1.25rem;
}
[data-compact] .links {
  margin-top: 0.25rem;
}
[data-compact] .link {
  padding: 0.125rem 0.625rem;
}
[data-compact]:not([data-status=completed], [data-status=error]) .link {
  padding: 0;
}
[data-compact] .failure:not(:has(> .alert:empty)) {
  margin-top: 0.625rem;
  padding: 0.5rem 0.75rem;
}
[data-compact] .error-text {
  max-height: 5rem;
}
[data-compact] .steps-section {
  margin-top: 0.5rem;
}
.steps-details {
  margin-top: 0.5rem;
}
.steps-details > summary {
  color: var(--quiet);
  font-size: 0.8125rem;
}
.steps-details:has(.steps:empty) {
  display: none;
}

/* styles/motion.css */
@keyframes breathe {
  50% {
    box-shadow: 0 0 0 4px color-mix(in srgb, var(--tone) 25%, transparent);
  }
}
@keyframes turn {
  to {
    transform: rotate(1turn);
  }
}
@keyframes pulse {
  50% {
    opacity: 0.5;
  }
}
@keyframes sheen {
  to {
    background-position: 180% 0;
  }
}
@keyframes drift {
  from {
    background-position: 100% 0;
  }
  to {
    background-position: -50% 0;
  }
}
@keyframes pass {
  to {
    background-position: 0.75rem 0;
  }
}
@media (prefers-reduced-motion: reduce) {
  *,
  ::before,
  ::after {
    transition: none !important;
    animation: none !important;
  }
}
:is([data-connection=reconnecting], [data-connection=offline], [data-connection=denied], [data-silent]) .card {
  *,
  .fill::after {
    animation: none !important;
  }
}

/* styles/forced-colors.css */
@media (forced-colors: active) {
  .bar,
  .gauge {
    border: 1px solid CanvasText;
  }
  .fill,
  .gauge-fill,
  .connection::before {
    forced-color-adjust: none;
  }
  .fill {
    background: Highlight !important;
    color: HighlightText;
    filter: none !important;
    --behind-percent: Highlight !important;
  }
  [data-status=error] .fill {
    background:
      repeating-linear-gradient(
        -45deg,
        Highlight 0 0.75rem,
        Canvas 0.75rem 1.5rem) !important;
  }
  [data-status=error] .percent {
    padding-inline: 0.375rem;
    background: Highlight;
  }
  [data-narrow] .percent {
    background: none;
    color: CanvasText;
  }
  .gauge {
    --tone: Highlight !important;
  }
  .request[data-look=seen] .request-text {
    border-width: 3px;
  }
  .cells > li {
    --tone: CanvasText !important;
    forced-color-adjust: none;
  }
  .segment-end {
    background: CanvasText;
    forced-color-adjust: none;
  }
  .connection,
  .timeline-chart rect {
    --tone: CanvasText !important;
  }
  .timeline-chart :is(.usual, .expected) {
    fill: none;
    stroke: GrayText;
  }
  .timeline-legend::before {
    border: 1px solid GrayText;
  }
  .timeline-legend.expected::before {
    border-style: dashed;
  }
  .steps > li::before {
    background: CanvasText !important;
  }
  .timeline-chart text {
    fill: CanvasText;
  }
  .timeline-chart line {
    stroke: GrayText;
  }
  .icon-inverse {
    stroke: Canvas;
  }
}

/* styles/index.css */
`;
var sheets = /* @__PURE__ */ new WeakMap();
function adoptStyles(root, css = CSS) {
  const sheet = sheetOf(root.ownerDocument, css);
  if (sheet && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.unshift(sheet);
}
function sheetOf(document2, css) {
  const window = document2.defaultView;
  if (!window) return null;
  const known = sheets.get(document2) ?? /* @__PURE__ */ new Map();
  sheets.set(document2, known);
  let sheet = known.get(css);
  if (!sheet) {
    sheet = new window.CSSStyleSheet();
    sheet.replaceSync(css);
    known.set(css, sheet);
  }
  return sheet;
}
var relays = /* @__PURE__ */ new WeakMap();
function relayOf(token) {
  return relays.get(token) ?? new TokenRelay(token);
}
var TokenRelay = class {
  #current;
  constructor(token) {
    this.#current = token;
    relays.set(token, this);
  }
  call = () => this.#current();
  replaceBy(token) {
    this.#current = token;
    relays.set(token, this);
  }
};
var PROPERTIES = ["session", "sessions", "baseUrl", "interval", "transport", "label", "timeline", "compact", "token", "onretry"];
var STATES = ["connecting", "not_found", "pending", "running", "completed", "error"];
var Base = globalThis.HTMLElement ?? class {
};
var ProgressSteps = class extends Base {
  static observedAttributes = ["session", "sessions", "base-url", "interval", "transport", "label", "lang", "timeline", "compact"];
  #internals = this.attachInternals();
  #root = this.attachShadow({ mode: "open" });
  #fallback = make("slot");
  #content = make("div", "sessions");
  #region = make("p", "visually-hidden");
  #announcer = new Announcer(this.#region);
  #views = /* @__PURE__ */ new Map();
  #onretry = null;
  #token = null;
  #isStarted = false;
  #isChanging = false;
  constructor() {
    super();
    this.#content.hidden = true;
    this.#region.ariaLive = "polite";
    this.#region.ariaAtomic = "true";
    this.#root.append(this.#fallback, this.#content, this.#region);
  }
  connectedCallback() {
    adoptStyles(this.#root);
    this.#takeProperties();
    this.#isStarted = true;
    this.#start();
  }
  disconnectedCallback() {
    this.#isStarted = false;
    this.#stop();
  }
  attributeChangedCallback(_name, before, now) {
    if (before !== now) this.#restartSoon();
  }
  #restartSoon() {
    if (this.#isChanging || !this.#isStarted) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (!this.#isStarted) return;
      this.#stop();
      this.#start();
    });
  }
  get session() {
    return this.getAttribute("session") ?? "";
  }
  set session(value) {
    this.setAttribute("session", value);
  }
  get sessions() {
    return this.getAttribute("sessions") ?? "";
  }
  set sessions(value) {
    this.setAttribute("sessions", value);
  }
  get baseUrl() {
    return this.getAttribute("base-url")?.replace(/\/$/, "") ?? ProgressTracker.baseUrl;
  }
  set baseUrl(value) {
    this.setAttribute("base-url", value);
  }
  get interval() {
    return Number(this.getAttribute("interval")) || 2e3;
  }
  set interval(value) {
    this.setAttribute("interval", String(value));
  }
  get transport() {
    const transport = this.getAttribute("transport");
    return transport === "sse" || transport === "poll" ? transport : "auto";
  }
  set transport(value) {
    this.setAttribute("transport", value);
  }
  get label() {
    return this.getAttribute("label") ?? "";
  }
  set label(value) {
    this.setAttribute("label", value);
  }
  get timeline() {
    return this.hasAttribute("timeline");
  }
  set timeline(value) {
    this.toggleAttribute("timeline", value);
  }
  get compact() {
    return this.hasAttribute("compact");
  }
  set compact(value) {
    this.toggleAttribute("compact", value);
  }
  get token() {
    return this.#token;
  }
  set token(value) {
    const token = value ?? null;
    const before = this.#token;
    if (token === before) return;
    this.#token = token;
    if (typeof token !== "function" || typeof before !== "function") {
      this.#restartSoon();
      return;
    }
    relayOf(before).replaceBy(token);
  }
  get onretry() {
    return this.#onretry;
  }
  set onretry(handler) {
    this.#onretry = typeof handler === "function" ? handler : null;
    for (const view of this.#views.values()) view.retry = this.#onretry;
  }
  get data() {
    const known = [...this.#views].flatMap(([id, { data }]) => data ? [[id, data]] : []);
    return Object.fromEntries(known);
  }
  #takeProperties() {
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }
  get #sessionIds() {
    return this.session ? [this.session] : [...new Set(this.sessions.split(/\s+/))].filter(Boolean);
  }
  #start() {
    if (this.#views.size) return;
    const surrounding = this.closest("[lang]")?.lang;
    const language2 = new Language(languageFor(surrounding ? [surrounding] : navigator.languages));
    for (const id of this.#sessionIds) this.#views.set(id, this.#viewOf(id, language2));
    this.#content.replaceChildren(...[...this.#views.values()].map(({ element: element2 }) => element2));
    this.#showState();
    for (const view of this.#views.values()) view.start();
  }
  #stop() {
    for (const view of this.#views.values()) view.stop();
    this.#views.clear();
    this.#announcer.stop();
  }
  #viewOf(session, language2) {
    let status;
    return new SessionView(session, { language: language2, heading: "p", ...this.label && this.session && { label: this.label }, timeline: this.timeline, isCompact: this.compact, announce: (text) => this.#announcer.say(text, session), retry: this.#onretry, tracker: { interval: this.interval, transport: this.transport, baseUrl: this.baseUrl, ...this.#token !== null && { token: typeof this.#token === "function" ? relayOf(this.#token).call : this.#token } }, onchange: ({ data }) => {
      const before = status;
      status = data.status;
      this.#showState();
      this.#dispatch("update", { session, data });
      if (status === before) return;
      if (status === "completed") this.#dispatch("complete", { session, data });
      if (status === "error") this.#dispatch("error", { session, data });
    }, onstatechange: (state) => {
      if (state === "denied") this.#showContent();
      this.#dispatch("statechange", { session, state });
    } });
  }
  #showState() {
    const states = [...this.#views.values()].flatMap(({ sessionState }) => sessionState ?? []);
    const status = states.length ? combined(states, this.#views.size).status : "connecting";
    for (const state of STATES) {
      if (state === status) this.#internals.states.add(state);
      else this.#internals.states.delete(state);
    }
    if (states.length) this.#showContent();
  }
  #showContent() {
    this.#fallback.hidden = true;
    this.#content.hidden = false;
  }
  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(`progress-${name}`, { detail, bubbles: true, composed: true }));
  }
};
var registry = globalThis.customElements;
if (registry && !registry.get("progress-steps")) registry.define("progress-steps", ProgressSteps);
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
function labelsIn(texts2) {
  const pairs = texts2.map((text) => /^([^:]+):(.*)$/su.exec(text) ?? []);
  return Object.fromEntries(pairs.flatMap(([, key, value]) => key && value !== void 0 ? [[key, value]] : []));
}
var LIST_CSS = `/* Lists of sessions, in the home page and in <progress-list>. A row is a grid, so that rows out of sight cost no layout. */

.list {
  --row: 3.5rem;
  container: list / inline-size;
  color: var(--text);
  font-size: 0.9375rem;
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}

:host .connection {
  width: max-content;
  margin: 0 0 0.5rem auto;
}

.list-table,
.list-table > :is(thead, tbody) {
  display: block;
}

.list-table {
  overflow: clip;
  border: 1px solid var(--line);
  border-radius: 0.75rem;
  background: var(--card);
}

.list-row,
.list-head {
  display: grid;
  grid-template-columns: 6.75rem minmax(10rem, 1fr) minmax(8rem, 14rem) 6.5rem 9.5rem;
  gap: 0 1rem;
  align-items: center;
  padding: 0.5rem 1rem;
}

.list-head {
  border-bottom: 1px solid var(--line);
  background: var(--code);
}

.list-table :is(th, td) {
  padding: 0;
  text-align: start;
}

.list-head th {
  color: var(--quiet);
  font-size: 0.75rem;
  font-weight: 600;
}

.list-row {
  position: relative;
  min-height: var(--row);
  content-visibility: auto;
  contain-intrinsic-height: auto var(--row);
}

.list-row + .list-row {
  border-top: 1px solid var(--line);
}

.list-row:hover {
  background: color-mix(in srgb, var(--accent) 5%, var(--card));
}

/* The state: its sign and its word. */

.list-state {
  --tone: var(--quiet);
  display: flex;
  align-items: center;
  gap: 0.5rem;
  color: var(--tone);
  font-size: 0.8125rem;
  font-weight: 600;
}

/* Many would turn at once. */

.list-state > .drawing {
  width: 1.125rem;
  height: 1.125rem;
  animation: none;
}

[data-look="running"] > .list-state {
  --tone: var(--accent);
}

[data-look="completed"] > .list-state {
  --tone: var(--good);
}

:is([data-look="error"], [data-look="lost"]) > .list-state {
  --tone: var(--bad);
}

/* The name, which links the whole row to its page. */

.list-name {
  min-width: 0;
  font-weight: 400;
}

.list-title {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.625rem;
  min-width: 0;
}

.list-link {
  overflow: hidden;
  max-width: 100%;
  color: var(--text);
  font-weight: 600;
  text-decoration: none;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.list-link::after {
  position: absolute;
  inset: 0;
  content: "";
}

.list-row:hover .list-link {
  color: var(--accent);
  text-decoration: underline;
}

.list-link:focus-visible {
  outline: none;
}

.list-link:focus-visible::after {
  outline: 2px solid var(--accent);
  outline-offset: -3px;
  border-radius: 0.5rem;
}

.list-id,
.list-error {
  overflow: hidden;
  min-width: 0;
  max-width: 100%;
  font: 0.75rem / 1.5 var(--mono);
  text-overflow: ellipsis;
  white-space: nowrap;
}

.list-id {
  color: var(--quiet);
}

.list-error {
  color: var(--bad);
}

.list-row[data-look="cancelled"] .list-error {
  color: var(--quiet);
}

.list-chips {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.25rem 0.375rem;
  margin-top: 0.1875rem;
  font-size: 0.75rem;
}

.chip,
.list-result {
  position: relative;
  z-index: 1;
}

.chip {
  display: inline-flex;
  align-items: center;
  gap: 0.375rem;
  overflow: hidden;
  max-width: 16rem;
  min-height: 1.5rem;
  padding: 0 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  background: var(--code);
  color: var(--quiet);
  font: inherit;
  text-overflow: ellipsis;
  white-space: nowrap;
  cursor: pointer;
}

.chip bdi {
  overflow: hidden;
  text-overflow: ellipsis;
}

.chip:hover,
.chip.chosen {
  border-color: var(--accent);
  color: var(--accent);
}

.list-result {
  color: var(--accent);
  line-height: 1.5rem;
}

.list-more-labels {
  color: var(--quiet);
}

/* How far it is. */

.list-bar {
  --fill-tone: var(--fill);
  height: 0.5rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}

.list-fill {
  height: 100%;
  border-radius: inherit;
  background: var(--fill-tone);
}

[data-look="completed"] .list-bar {
  --fill-tone: var(--good-fill);
}

:is([data-look="error"], [data-look="lost"]) .list-bar {
  --fill-tone: var(--bad-fill);
}

:is([data-look="cancelled"], [data-look="pending"]) .list-bar {
  --fill-tone: var(--off-fill);
}

.list-facts {
  display: flex;
  justify-content: space-between;
  gap: 0.5rem;
  margin-top: 0.125rem;
  color: var(--quiet);
  font-size: 0.75rem;
}

.list-when,
.list-duration {
  color: var(--quiet);
  font-size: 0.8125rem;
}

/* What the visitor has chosen, and what is beyond the list. */

.list-filters {
  display: flex;
  flex-wrap: wrap;
  gap: 0.375rem;
  margin: 0 0 0.75rem;
  padding: 0;
  list-style: none;
  font-size: 0.8125rem;
}

.list-empty {
  padding: 2rem 1rem;
  border: 1px dashed var(--line);
  border-radius: 0.75rem;
  color: var(--quiet);
  text-align: center;
}

.list-empty .button {
  margin-top: 0.75rem;
}

.list-foot {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.25rem 0.75rem;
  margin-top: 0.75rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}

:is(.chip, .list-result):focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}

/* Without a connection nothing is known to move. */

:is([data-connection="reconnecting"], [data-connection="offline"], [data-connection="denied"]) .list-bar {
  filter: saturate(0.35);
}

/* On a phone, and in a narrow column, a row has three lines. */

@container list (max-width: 46rem) {
  .list-head {
    position: absolute;
    width: 1px;
    height: 1px;
    padding: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }

  .list-row {
    --row: 7rem;
    grid-template-columns: auto auto minmax(0, 1fr);
    grid-template-areas: "name name name" "state started time" "progress progress progress";
    gap: 0.375rem 0.75rem;
    min-height: 0;
    padding-block: 0.625rem;
  }

  .list-name {
    grid-area: name;
  }

  .list-state {
    grid-area: state;
  }

  .list-progress {
    grid-area: progress;
  }

  .list-when {
    grid-area: started;
  }

  .list-duration {
    grid-area: time;
    text-align: end;
  }
}

@media (forced-colors: active) {
  .list-bar {
    border: 1px solid CanvasText;
  }

  .list-fill {
    background: Highlight;
    forced-color-adjust: none;
  }

  :is([data-look="error"], [data-look="lost"]) .list-fill {
    background: repeating-linear-gradient(-45deg, Highlight 0 0.375rem, Canvas 0.375rem 0.75rem);
  }
}
`;
var ListChips = class {
  element = make("ul", "list-filters");
  #language;
  #choose;
  constructor(language2, choose) {
    this.#language = language2;
    this.#choose = choose;
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
function percentageAt2(session, now_ms) {
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
var KINDS2 = ["failed", "completed", "started"];
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
    return this.#language.joined(KINDS2.filter((kind) => this.#news[kind].length).map((kind) => this.#textOf(kind)));
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
    const percentage = percentageAt2(session, now_ms);
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
var TICK_MS2 = 1e3;
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
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS2);
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
var ATTRIBUTES = ["prefix", "label", "status", "base-url", "interval", "transport", "lang"];
var PROPERTIES2 = ["prefix", "label", "status", "baseUrl", "interval", "transport", "token"];
var Base2 = globalThis.HTMLElement ?? class {
};
var ProgressList = class extends Base2 {
  static observedAttributes = ATTRIBUTES;
  #root = this.attachShadow({ mode: "open" });
  #region = make("p", "visually-hidden");
  #content = make("div", "list-content");
  #list = null;
  #token = null;
  #isStarted = false;
  #isChanging = false;
  constructor() {
    super();
    this.#region.ariaLive = "polite";
    this.#region.ariaAtomic = "true";
    this.#root.append(this.#content, this.#region);
  }
  connectedCallback() {
    adoptStyles(this.#root, LIST_CSS);
    adoptStyles(this.#root);
    this.#takeProperties();
    this.#isStarted = true;
    this.#start();
  }
  disconnectedCallback() {
    this.#isStarted = false;
    this.#stop();
  }
  attributeChangedCallback(_name, before, now) {
    if (before !== now) this.#restartSoon();
  }
  #restartSoon() {
    if (this.#isChanging || !this.#isStarted) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (!this.#isStarted) return;
      this.#stop();
      this.#start();
    });
  }
  get prefix() {
    return this.getAttribute("prefix") ?? "";
  }
  set prefix(value) {
    this.setAttribute("prefix", value);
  }
  get label() {
    return this.getAttribute("label") ?? "";
  }
  set label(value) {
    this.setAttribute("label", value);
  }
  get status() {
    return STATUSES.find((status) => status === this.getAttribute("status")) ?? "";
  }
  set status(value) {
    this.setAttribute("status", value);
  }
  get baseUrl() {
    return this.getAttribute("base-url")?.replace(/\/$/, "") ?? ProgressTracker.baseUrl;
  }
  set baseUrl(value) {
    this.setAttribute("base-url", value);
  }
  get interval() {
    return Number(this.getAttribute("interval")) || 3e3;
  }
  set interval(value) {
    this.setAttribute("interval", String(value));
  }
  get transport() {
    const transport = this.getAttribute("transport");
    return transport === "sse" || transport === "poll" ? transport : "auto";
  }
  set transport(value) {
    this.setAttribute("transport", value);
  }
  get token() {
    return this.#token;
  }
  set token(value) {
    const token = value ?? null;
    const before = this.#token;
    if (token === before) return;
    this.#token = token;
    if (typeof token === "function" && typeof before === "function") relayOf(before).replaceBy(token);
    else this.#restartSoon();
  }
  #takeProperties() {
    for (const name of PROPERTIES2) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }
  #start() {
    if (this.#list) return;
    const surrounding = this.closest("[lang]")?.lang;
    const { baseUrl, interval, transport } = this;
    const token = typeof this.#token === "function" ? relayOf(this.#token).call : this.#token;
    this.#list = new LiveList({ language: new Language(languageFor(surrounding ? [surrounding] : navigator.languages)), fixed: { prefix: this.prefix, labels: labelsIn(this.label.split("\n")), status: this.status }, hrefOf: ({ session_id }) => `${baseUrl}/s/${encodeURIComponent(session_id)}`, root: this.#content, region: this.#region, ...this.hasChildNodes() && { empty: make("slot") }, tracker: { baseUrl, interval, transport, ...token !== null && { token } }, onlist: ({ sessions, more }) => this.#dispatch("progress-list", { sessions, more }), onstatechange: (state) => this.#dispatch("progress-liststatechange", { state }) });
    this.#content.append(this.#list.badge.element, this.#list.element);
    this.#list.start();
  }
  #stop() {
    this.#list?.stop();
    this.#content.replaceChildren();
    this.#list = null;
  }
  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
};
var registry2 = globalThis.customElements;
if (registry2 && !registry2.get("progress-list")) registry2.define("progress-list", ProgressList);
var CommandTab = class {
  #language;
  #texts;
  #copyButton;
  #title = make("h2");
  #code = make("code");
  constructor(name, language2, texts2, status) {
    this.#language = language2;
    this.#texts = texts2;
    this.#copyButton = copyButton(texts2, () => this.#code.textContent, (answer) => status.replaceChildren(answer));
    this.tab = makeButton("tab", name);
    this.tab.id = `drive-${name.toLowerCase()}`;
    this.tab.setAttribute("role", "tab");
    this.panel = this.#makePanel();
  }
  #makePanel() {
    const panel = make("div", "command");
    panel.id = `${this.tab.id}-command`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", this.tab.id);
    this.tab.setAttribute("aria-controls", panel.id);
    panel.append(make("div", "command-head", this.#title, this.#copyButton), make("pre", "", this.#code));
    return panel;
  }
  select(isSelected) {
    this.tab.setAttribute("aria-selected", String(isSelected));
    this.tab.tabIndex = isSelected ? 0 : -1;
    this.panel.hidden = !isSelected;
  }
  show(title, url, update, needsToken) {
    const { parts, joint } = this.#language;
    const spans = parts(url, update, needsToken).map((part) => make("span", "", part));
    this.#code.replaceChildren(...spans.flatMap((span) => [span, joint]).slice(0, -1));
    this.#title.textContent = title;
    this.#copyButton.setAttribute("aria-label", `${this.#texts.copy}: ${title}`);
  }
};
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
function literal({ action, step }) {
  return `{"action": "${action}", "step": ${step}}`;
}
function pythonLines(url, update, needsToken) {
  return ["import json", ...needsToken ? ["import os"] : [], "from urllib.request import Request, urlopen", "", `update = ${literal(update)}`, 'headers = {"Content-Type": "application/json"}', ...needsToken ? ['headers["Authorization"] = "Bearer " + os.environ["PROGRESS_SSE_TOKEN"]'] : [], `request = Request("${url}", json.dumps(update).encode(), headers)`, "print(urlopen(request).read().decode())"];
}
function javascriptLines(url, update, needsToken) {
  return [`fetch("${url}", {`, '  method: "POST",', "  headers: {", '    "Content-Type": "application/json",', ...needsToken ? ["    Authorization: `Bearer ${process.env.PROGRESS_SSE_TOKEN}`,"] : [], "  },", `  body: JSON.stringify(${literal(update)}),`, "})", "  .then((response) => response.text())", "  .then(console.log);"];
}
var LANGUAGES = { curl: { parts: curlParts, joint: " " }, Python: { parts: pythonLines, joint: "\n" }, JavaScript: { parts: javascriptLines, joint: "\n" } };
function nextUpdate({ steps }) {
  const next = steps.find(({ status }) => status !== "success");
  return { action: next?.status === "running" ? "complete" : "start", step: next?.step ?? 1 };
}
var CommandPanel = class {
  #panel;
  #texts;
  #url;
  #needsToken;
  #isForDevelopers;
  #offered = "";
  #isShown = false;
  #tabs;
  constructor(panel, { sessionId, texts: texts2, isForDevelopers }) {
    const publish = document.querySelector('meta[name="progress-publish"]');
    this.#panel = panel;
    this.#texts = texts2;
    this.#isForDevelopers = isForDevelopers;
    this.#url = updateUrl(document.baseURI, sessionId);
    this.#needsToken = publish?.getAttribute("content") === "token";
    const status = make("p", "visually-hidden");
    status.setAttribute("role", "status");
    this.#tabs = Object.entries(LANGUAGES).map(([name, language2]) => new CommandTab(name, language2, texts2, status));
    const hint = make("p", "quiet token-hint", texts2.token);
    hint.hidden = !this.#needsToken;
    panel.append(hint, tabList(this.#tabs, texts2.commands), ...this.#tabs.map(({ panel: own }) => own), status);
  }
  show(data) {
    const isEmpty = data.status === "not_found";
    this.#panel.hidden = data.status === "completed" || !(this.#isForDevelopers || isEmpty);
    if (!this.#isShown) this.#panel.open = isEmpty;
    this.#isShown = true;
    const update = nextUpdate(data);
    const title = this.#texts[update.action].replace("{step}", String(update.step));
    if (title === this.#offered) return;
    this.#offered = title;
    for (const tab of this.#tabs) tab.show(title, this.#url, update, this.#needsToken);
  }
};
function tabList(tabs, label) {
  const list = make("div", "tabs");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", label);
  list.append(...tabs.map(({ tab }) => tab));
  const select = (index) => {
    for (const [each, tab] of tabs.entries()) tab.select(each === index);
  };
  list.addEventListener("click", ({ target }) => {
    const index = tabs.findIndex(({ tab }) => tab === target);
    if (index >= 0) select(index);
  });
  list.addEventListener("keydown", (event) => {
    const index = tabs.findIndex(({ tab }) => tab === event.target);
    const last = tabs.length - 1;
    const targets = { ArrowLeft: index ? index - 1 : last, ArrowRight: index < last ? index + 1 : 0, Home: 0, End: last };
    const target = targets[event.key];
    if (target === void 0) return;
    event.preventDefault();
    select(target);
    tabs[target]?.tab.focus();
  });
  select(0);
  return list;
}
var DEMO_TEXTS = { en: { title: "Live progress", lead: "Four jobs report to this server, by HTTP as any worker does, and it streams what they say to this page.", agent: "An agent finds its steps as it goes", export: "An export that you can cancel", film: "Four workers share one step", load: "A load that knows how long it takes", break_it: "Break it", break_hint: "Watch the badges and the bars below.", cut: "Cut my stream", cut_watch: "All streams break off in the middle. For some seconds the badges say “reconnecting”; then the bars catch up, with nothing missed.", buffer: "Buffer like a bad proxy", buffer_watch: "For 20 seconds no stream gets through. The bars go on by polling, and say so, until they are live again. Click again to mend it sooner.", restart: "Restart the server", restart_watch: "It goes away, and is back some seconds later. The jobs wait for it and the pages find it again: nothing is lost.", yours_title: "Your turn", yours: "Your job", all_jobs: "All jobs of this server" }, ja: { title: "ライブ進捗", lead: "4 つのジョブが普通のワーカーと同じように HTTP でこのサーバーに報告し、その内容がこのページに配信されています。", agent: "進みながらステップを見つけるエージェント", export: "キャンセルできるエクスポート", film: "4 つのワーカーが分担するステップ", load: "所要時間を学んだ取り込み", break_it: "壊してみる", break_hint: "下の接続の表示とバーに注目してください。", cut: "ストリームを切断", cut_watch: "すべてのストリームが途中で切れます。数秒間「再接続中」と表示されたあと、バーは何も失わずに追いつきます。", buffer: "バッファするプロキシを再現", buffer_watch: "20 秒間、ストリームが届かなくなります。バーはポーリングで動き続け、その旨を表示し、やがてライブに戻ります。もう一度押すと早く直ります。", restart: "サーバーを再起動", restart_watch: "サーバーが止まり、数秒後に戻ります。ジョブは待ち、ページは自分でつなぎ直します。何も失われません。", yours_title: "あなたの番です", yours: "あなたのジョブ", all_jobs: "このサーバーのすべてのジョブ" } };
function keepLogOpen(steps) {
  const root = steps.shadowRoot;
  let isWanted = true;
  root.addEventListener("toggle", ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.matches(".card > .log")) isWanted = target.open;
  }, { capture: true });
  steps.addEventListener("progress-update", () => {
    root.querySelector(".card > .log")?.toggleAttribute("open", isWanted);
  });
}
var JOBS = ["agent", "export", "film", "load"];
var END_SHOWN_MS = 5e3;
var LOOK_AGAIN_MS = 500;
var language = languageFor(navigator.languages);
var texts = { ...TEXTS[language], ...DEMO_TEXTS[language] };
function labelled(id) {
  const steps = element(id);
  steps.label = texts[id];
  return steps;
}
async function newestSession(job) {
  const response = await fetch(`api/progress?prefix=${job}-&limit=1`);
  const { sessions } = await response.json();
  return sessions[0]?.session_id;
}
async function showNext(steps) {
  const newest = await newestSession(steps.id).catch(() => void 0);
  if (newest && newest !== steps.session) steps.session = newest;
  else setTimeout(() => showNext(steps), LOOK_AGAIN_MS);
}
function follow(job) {
  const steps = labelled(job);
  let ended = "";
  steps.addEventListener("progress-update", ({ detail: { session, data } }) => {
    const isOver2 = data.status === "completed" || data.conclusion === "cancelled";
    if (!isOver2 || session === ended) return;
    ended = session;
    setTimeout(() => showNext(steps), END_SHOWN_MS);
  });
  void showNext(steps);
}
function ownSession() {
  if (!/^#yours-\w+$/.test(location.hash)) history.replaceState(null, "", `#yours-${crypto.randomUUID().slice(0, 8)}`);
  return location.hash.slice(1);
}
function offerCommands() {
  const steps = labelled("yours");
  const sessionId = ownSession();
  const panel = new CommandPanel(element("drive"), { sessionId, texts, isForDevelopers: true });
  steps.addEventListener("progress-update", (event) => {
    panel.show(event.detail.data);
  });
  steps.session = sessionId;
}
function showHint(fault) {
  for (const hint of document.querySelectorAll(".fault-hints > p")) {
    hint.classList.toggle("shown", hint.id === `${fault}-watch`);
  }
}
function breakBy(fault, onDone) {
  const button = element(fault);
  for (const type of ["pointerenter", "focus", "click"]) button.addEventListener(type, () => showHint(fault));
  button.addEventListener("click", async () => {
    const response = await fetch(`demo/${fault}`, { method: "POST" }).catch(() => null);
    if (response?.ok) onDone?.(response);
  });
}
var mending;
async function showBuffering(response) {
  const { buffering_ms } = await response.json();
  clearTimeout(mending);
  element("buffer").ariaPressed = String(buffering_ms > 0);
  if (buffering_ms) mending = setTimeout(() => element("buffer").ariaPressed = "false", buffering_ms);
}
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");
translatePage(language, texts);
element("list").lang = language;
for (const job of JOBS) follow(job);
keepLogOpen(element("agent"));
offerCommands();
breakBy("cut");
breakBy("buffer", showBuffering);
breakBy("restart");
