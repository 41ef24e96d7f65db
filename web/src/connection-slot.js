import { Timers } from "./timers.js";

/**
 * Over HTTP/1.1 a browser has six connections to an origin, for all its tabs together. So many of them may be streams; the
 * others are for pages, polls and reports.
 */
const SLOTS = 4;
/** Streams of lists and of links leave one to that of the sessions. */
const MINOR_SLOTS = 3;
/** Without Web Locks, the other tabs answer within this time. */
const ANSWER_MS = 200;
/** A tab that was closed does not always say so. */
const RECOUNT_MS = 15_000;
/** Those that wait do not all take the same slot. */
const SPREAD_MS = 2000;

/**
 * A slot of those that all tabs of a browser have for streams of one origin. With Web Locks a slot is a lock. Without, the
 * tabs count each other's; frozen ones do not answer, for which there is some room.
 */
export class ConnectionSlot {
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
  #others = new Map();

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
    // This page may have no locks.
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
      const hold = (/** @type {Lock | null} */ lock) => {
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
    const isFull = this.#others.size >= SLOTS || (this.#isMinor && minor >= MINOR_SLOTS);
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
    // Of two that claim a slot at the same time, the smaller id comes first.
    if (kind !== "free" && (!isClaim || slot < this.#id)) this.#others.set(slot, isMinor);
    if (kind === "free" && !this.#hold) this.#timers.set("again", SPREAD_MS * Math.random(), () => this.#claim());
  }
}

/** @param {string} baseUrl */
function originOf(baseUrl) {
  return URL.canParse?.(baseUrl) ? new URL(baseUrl).origin : "";
}

/** Whether one connection to this origin carries many requests, as of HTTP/2. @param {string} origin */
function isMultiplexed(origin) {
  const entriesOf = (/** @type {string} */ type) => globalThis.performance?.getEntriesByType?.(type) ?? [];
  const loaded = /** @type {PerformanceResourceTiming[]} */ ([...entriesOf("navigation"), ...entriesOf("resource")]);
  return loaded.some(({ name, nextHopProtocol }) => /^h[23]/.test(nextHopProtocol) && originOf(name) === origin);
}
