/* A clock, an EventSource, a fetch and a browser, all controlled by the test. */
import { readFile } from "node:fs/promises";
import { mock } from "node:test";
import vm from "node:vm";

import { ProgressTracker } from "../lib/index.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").TrackerOptions} TrackerOptions */

/** Runs all queued microtasks and immediates. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class ManualClock {
  now_ms = 0;
  /** @type {Set<{due_ms: number, action: () => void, isCleared: boolean}>} */
  timers = new Set();

  /** @param {() => void} action @param {number} delay_ms */
  setTimeout(action, delay_ms) {
    const timer = { due_ms: this.now_ms + delay_ms, action, isCleared: false };
    this.timers.add(timer);
    return timer;
  }

  /** @param {any} timer */
  clearTimeout(timer) {
    if (timer) timer.isCleared = true;
    this.timers.delete(timer);
  }

  /** Lets time pass; each timer fires at its time. @param {number} ms */
  async advance(ms) {
    const until_ms = this.now_ms + ms;
    await settled();
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.due_ms <= until_ms).sort((a, b) => a.due_ms - b.due_ms);
      if (!next) break;
      this.timers.delete(next);
      this.now_ms = next.due_ms;
      next.action();
      await settled();
    }
    this.now_ms = until_ms;
  }
}

/** Makes Date.now() follow a clock from now on. @param {ManualClock} clock */
export function timeOfDay(clock) {
  const ahead_ms = Date.now() - clock.now_ms;
  mock.method(Date, "now", () => ahead_ms + clock.now_ms);
}

export class FakeEventSource extends EventTarget {
  readyState = 0;
  lastEventId = "";

  /** @param {string} url @param {{withCredentials: boolean}} init */
  constructor(url, init) {
    super();
    this.url = url;
    this.withCredentials = init.withCredentials;
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {string} type @param {unknown} data @param {string} [id] */
  send(type, data, id) {
    this.readyState = 1;
    this.lastEventId = id ?? this.lastEventId;
    this.dispatchEvent(
      new MessageEvent(type, {
        data: typeof data === "string" ? data : JSON.stringify(data),
        lastEventId: this.lastEventId,
      }),
    );
  }

  /** A lost connection: the browser reconnects by itself. */
  interrupt() {
    this.readyState = 0;
    this.dispatchEvent(new Event("error"));
  }

  /** Any status but 200: the browser gives up. */
  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }

  close() {
    this.readyState = 2;
  }
}

/** @typedef {{url: string, init: any, isOpen: boolean, answer: (response: Response | Error) => void}} Request */

/** A fetch that records its requests. @param {Request[]} requests */
function fetchInto(requests) {
  /** @param {unknown} url @param {any} init @returns {Promise<Response>} */
  return (url, init) =>
    new Promise((resolve, reject) => {
      /** @type {Request} */
      const request = {
        url: String(url),
        init,
        isOpen: true,
        answer: (response) => {
          request.isOpen = false;
          if (response instanceof Error) reject(response);
          else resolve(response);
        },
      };
      init.signal.addEventListener("abort", () => request.answer(init.signal.reason));
      requests.push(request);
    });
}

/** A page with one tracker, whose surroundings are fakes. */
export class Page {
  clock = new ManualClock();
  /** @type {FakeEventSource[]} */
  streams = [];
  /** @type {Request[]} */
  requests = [];
  /** @type {Progress[]} */
  updates = [];
  /** @type {Progress[]} */
  completions = [];
  /** @type {Progress[]} */
  errors = [];
  /** @type {string[]} */
  states = [];

  /** @param {TrackerOptions} [options] */
  constructor(options = {}) {
    const page = this;
    class EventSource extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        page.streams.push(this);
      }
    }
    this.EventSource = EventSource;
    this.fetch = /** @type {typeof fetch} */ (fetchInto(this.requests));
    this.tracker = new ProgressTracker("job", {
      onUpdate: (data) => void this.updates.push(data),
      onComplete: (data) => void this.completions.push(data),
      onError: (data) => void this.errors.push(data),
      EventSource,
      fetch: this.fetch,
      timers: this.clock,
      ...options,
    });
    this.tracker.addEventListener("statechange", () => void this.states.push(this.tracker.state));
  }

  /** The newest stream. */
  get stream() {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("no stream was opened");
    return stream;
  }

  /** Answers the newest request. @param {Response | Error} response */
  async answer(response) {
    const request = this.requests.at(-1);
    if (!request) throw new Error("nothing was asked");
    request.answer(response);
    await settled();
  }

  /** Counts what is still open; all are 0 after a clean stop. */
  get leftovers() {
    return {
      timers: this.clock.timers.size,
      streams: this.streams.filter((stream) => stream.readyState !== 2).length,
      requests: this.requests.filter((request) => request.isOpen).length,
    };
  }
}

const script = new vm.Script(await readFile(new URL("../lib/tracker.js", import.meta.url), "utf8"));

/** What the tabs of a browser share: connections to the server, locks, and channels. */
export class Browser {
  clock = new ManualClock();
  /** @type {(FakeEventSource & {tab: Tab})[]} */
  streams = [];
  /** @type {Request[]} */
  requests = [];
  /** @type {Set<{name: string, tab: Tab, hear: (data: unknown) => void}>} */
  channels = new Set();
  /** Set, it keeps what tabs say until it is delivered. @type {(() => void)[] | null} */
  mail = null;
  /** The lock's holder first. @type {{tab: Tab, run: () => void, rob: () => void}[]} */
  locks = [];

  /** Without a secure context there are no locks. */
  constructor({ isSecure = true } = {}) {
    this.isSecure = isSecure;
  }

  /** @param {object} [globals] @returns {Tab} */
  tab(globals) {
    return new Tab(this, globals);
  }

  /** @param {() => void} letter */
  send(letter) {
    if (this.mail) this.mail.push(letter);
    else queueMicrotask(letter);
  }

  async deliver() {
    for (const letter of this.mail ?? []) queueMicrotask(letter);
    this.mail = null;
    await settled();
  }

  /** Streams that are not closed. */
  get open() {
    return this.streams.filter((stream) => stream.readyState !== 2);
  }

  /** The only open stream. */
  get stream() {
    const [stream, ...others] = this.open;
    if (!stream || others.length) throw new Error(`there are ${this.open.length} streams`);
    return stream;
  }

  /** @param {Tab} tab */
  release(tab) {
    const [holder] = this.locks;
    this.locks = this.locks.filter((request) => request.tab !== tab);
    if (this.locks[0] !== holder) this.locks[0]?.run();
  }
}

/** A tab: one global scope with tracker.js in it, loaded as a plain script. */
export class Tab {
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  isFrozen = false;
  /** What happened to a frozen tab. @type {(() => void)[]} */
  #missed = [];

  /** @param {Browser} browser @param {object} [globals] */
  constructor(browser, globals = {}) {
    const tab = this;
    this.browser = browser;
    class EventSource extends FakeEventSource {
      tab = tab;
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        browser.streams.push(this);
      }
    }
    class BroadcastChannel {
      /** @type {((event: {data: unknown}) => void) | null} */
      onmessage = null;
      /** @param {string} name */
      constructor(name) {
        const hear = (/** @type {unknown} */ data) => tab.when(() => this.isOpen && this.onmessage?.({ data }));
        this.member = { name, tab, hear };
        browser.channels.add(this.member);
      }
      get isOpen() {
        return browser.channels.has(this.member);
      }
      /** @param {unknown} data */
      postMessage(data) {
        for (const member of browser.channels) {
          if (member === this.member || member.name !== this.member.name) continue;
          const copy = structuredClone(data);
          browser.send(() => browser.channels.has(member) && member.hear(copy));
        }
      }
      close() {
        browser.channels.delete(this.member);
      }
    }
    this.scope = vm.createContext({
      AbortController,
      BroadcastChannel,
      Date,
      Event,
      EventSource,
      EventTarget,
      URL,
      addEventListener: this.window.addEventListener.bind(this.window),
      atob,
      clearTimeout: (/** @type {any} */ timer) => browser.clock.clearTimeout(timer),
      console,
      document: this.document,
      fetch: fetchInto(browser.requests),
      navigator: browser.isSecure ? { locks: { request: this.#requestLock.bind(this) } } : {},
      queueMicrotask,
      setTimeout: (/** @type {() => void} */ action, /** @type {number} */ delay_ms) => {
        // A timer that fired while the tab was frozen may be cleared before the tab runs it.
        const ring = () => this.when(() => void (timer.isCleared || action()));
        const timer = browser.clock.setTimeout(ring, delay_ms);
        return timer;
      },
      ...globals,
    });
    script.runInContext(this.scope);
  }

  /**
   * A started tracker, with the steps and states that it told of.
   * @param {string} sessionId
   * @param {TrackerOptions} [options]
   */
  async track(sessionId, options) {
    /** @type {number[]} */
    const steps = [];
    /** @type {string[]} */
    const states = [];
    /** @type {import("../lib/wire.js").ProgressTracker} */
    const tracker = new this.scope.ProgressTracker(sessionId, {
      interval: Infinity,
      onUpdate: (/** @type {Progress} */ data) => void steps.push(data.current_step),
      ...options,
    });
    tracker.addEventListener("statechange", () => void states.push(tracker.state));
    void tracker.start();
    await this.browser.clock.advance(0);
    return { tracker, steps, states };
  }

  /** @param {() => void} action */
  when(action) {
    if (this.isFrozen) this.#missed.push(action);
    else action();
  }

  /** Stops the tab without an event, as a debugger or an endless loop does. */
  freeze() {
    this.isFrozen = true;
  }

  wake() {
    this.isFrozen = false;
    for (const action of this.#missed.splice(0)) action();
  }

  /** @param {"pagehide" | "pageshow" | "online"} type @param {object} [properties] */
  async happen(type, properties) {
    this.window.dispatchEvent(Object.assign(new Event(type), properties));
    await settled();
  }

  /** @param {"visible" | "hidden"} visibilityState */
  async show(visibilityState) {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(new Event("visibilitychange"));
    await settled();
  }

  /** Ends the tab's process. */
  async kill() {
    this.isFrozen = true;
    for (const stream of this.browser.open) if (stream.tab === this) stream.close();
    for (const member of this.browser.channels) if (member.tab === this) this.browser.channels.delete(member);
    this.browser.release(this);
    await settled();
  }

  /**
   * @param {string} _name
   * @param {{steal?: boolean, signal?: AbortSignal}} options
   * @param {() => Promise<unknown>} hold
   */
  #requestLock(_name, { steal, signal }, hold) {
    const { browser } = this;
    return new Promise((resolve, reject) => {
      const request = {
        tab: /** @type {Tab} */ (this),
        run: () =>
          queueMicrotask(async () => {
            resolve(await hold());
            if (browser.locks[0] !== request) return;
            browser.locks.shift();
            browser.locks[0]?.run();
          }),
        rob: () => this.when(() => reject(new DOMException("stolen", "AbortError"))),
      };
      signal?.addEventListener("abort", () => {
        if (browser.locks[0] === request) return;
        browser.locks = browser.locks.filter((other) => other !== request);
        reject(signal.reason);
      });
      if (steal) browser.locks.shift()?.rob();
      if (steal) browser.locks.unshift(request);
      else browser.locks.push(request);
      if (browser.locks[0] === request) request.run();
    });
  }
}

/**
 * A poll's answer with three steps, of which the first `done` are done.
 * @param {number} done
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function progress(done, changes = {}) {
  const steps = [1, 2, 3].map((step) => (step <= done ? doneStep(step) : pendingStep(step)));
  return {
    session_id: "job",
    current_step: done,
    total_steps: 3,
    status: done === 3 ? "completed" : "running",
    steps,
    percentage: Math.floor((100 * done) / 3),
    estimated_remaining_ms: 30_000 * (3 - done),
    ...changes,
  };
}

/** @param {number} step @returns {import("../lib/wire.js").PendingStep} */
const pendingStep = (step) => ({ step, name: `STEP${step}`, status: "pending", elapsed_ms: 0, timeout_ms: 120_000 });

/** @param {number} step @returns {import("../lib/wire.js").StartedStep} */
const doneStep = (step) => ({
  step,
  name: `STEP${step}`,
  status: "success",
  started_at: "2026-01-01T00:00:00.000001+00:00",
  completed_at: "2026-01-01T00:00:01.000001+00:00",
  elapsed_ms: 1000,
  timeout_ms: 120_000,
  message: "",
  error: "",
});

/**
 * The `step` event that leads to `progress(done)`.
 * @param {number} done
 * @param {Partial<import("../lib/wire.js").SessionSummary>} [changes]
 * @returns {import("../lib/wire.js").StepEvent}
 */
export function stepEvent(done, changes = {}) {
  const { steps: _, ...session } = progress(done);
  return { step: doneStep(done), session: { ...session, ...changes } };
}

export const notFound = progress(0, { total_steps: 0, status: "not_found", steps: [], estimated_remaining_ms: 0 });

/** @param {Progress} data @param {Record<string, string>} [headers] */
export const ok = (data, headers = {}) => Response.json(data, { headers });

/** @param {number} status @param {Record<string, string>} [headers] */
export const status = (status, headers = {}) => new Response(null, { status, headers });

/** Makes jitter predictable: 0 is the shortest delay, just under 1 the longest. @param {number} value */
export const jitter = (value) => mock.method(Math, "random", () => value);

/** Fails the stream three times, a second apart, after which trackers poll. @param {Page | Browser} page */
export async function interruptThrice(page) {
  page.stream.interrupt();
  for (const wait_ms of [1000, 1000]) {
    await page.clock.advance(wait_ms);
    page.stream.interrupt();
  }
}
