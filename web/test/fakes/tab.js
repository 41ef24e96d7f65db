import { readFile } from "node:fs/promises";
import vm from "node:vm";
import { FakeEventSource } from "./event-source.js";
import { fetchInto } from "./fetch.js";
import { settled } from "./manual-clock.js";

/** @typedef {import("../../lib/wire.js").Progress} Progress */
/** @typedef {import("../../lib/wire.js").TrackerOptions} TrackerOptions */
/** @typedef {import("./browser.js").Browser} Browser */

const script = new vm.Script(await readFile(new URL("../../lib/tracker.js", import.meta.url), "utf8"));

/** A tab: one global scope with tracker.js in it, loaded as a plain script. */
export class Tab {
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  isFrozen = false;
  /** Actions that wait until a frozen tab wakes. @type {(() => void)[]} */
  #waiting = [];

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
        const receive = (/** @type {unknown} */ data) => tab.whenAwake(() => this.isOpen && this.onmessage?.({ data }));
        this.member = { name, tab, receive };
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
          browser.send(() => browser.channels.has(member) && member.receive(copy));
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
      URLSearchParams,
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
        const run = () => this.whenAwake(() => void (timer.isCleared || action()));
        const timer = browser.clock.setTimeout(run, delay_ms);
        return timer;
      },
      ...globals,
    });
    script.runInContext(this.scope);
  }

  /**
   * A started tracker, with the steps and states that it has reported.
   * @param {string} sessionId
   * @param {TrackerOptions} [options]
   */
  async track(sessionId, options) {
    /** @type {number[]} */
    const steps = [];
    /** @type {string[]} */
    const states = [];
    /** @type {import("../../lib/wire.js").ProgressTracker} */
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
  whenAwake(action) {
    if (this.isFrozen) this.#waiting.push(action);
    else action();
  }

  /** Stops the tab without an event, as a debugger or an endless loop does. */
  freeze() {
    this.isFrozen = true;
  }

  wake() {
    this.isFrozen = false;
    for (const action of this.#waiting.splice(0)) action();
  }

  /** @param {"pagehide" | "pageshow" | "online"} type @param {object} [properties] */
  async dispatch(type, properties) {
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
   * @param {string} name
   * @param {{steal?: boolean, ifAvailable?: boolean, signal?: AbortSignal}} options
   * @param {(lock: object | null) => Promise<unknown> | undefined} hold
   */
  #requestLock(name, { steal, ifAvailable, signal }, hold) {
    const { browser } = this;
    return new Promise((resolve, reject) => {
      const request = {
        name,
        tab: /** @type {Tab} */ (this),
        run: () =>
          queueMicrotask(async () => {
            resolve(await hold({ name }));
            if (browser.holder(name) !== request) return;
            remove(request);
            browser.holder(name)?.run();
          }),
        onStolen: () => this.whenAwake(() => reject(new DOMException("stolen", "AbortError"))),
      };
      const remove = (/** @type {object} */ gone) => {
        browser.locks = browser.locks.filter((other) => other !== gone);
      };
      signal?.addEventListener("abort", () => {
        if (browser.holder(name) === request) return;
        remove(request);
        reject(signal.reason);
      });
      const holder = browser.holder(name);
      if (ifAvailable && holder) {
        queueMicrotask(async () => resolve(await hold(null)));
        return;
      }
      if (steal && holder) remove(holder);
      if (steal) holder?.onStolen();
      if (steal) browser.locks.unshift(request);
      else browser.locks.push(request);
      if (browser.holder(name) === request) request.run();
    });
  }
}
