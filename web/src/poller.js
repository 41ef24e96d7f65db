import { serverClock } from "./server-clock.js";
import { Timers } from "./timers.js";
import { fetchWithToken } from "./tokens.js";

/** @typedef {import("./types.js").Token} Token */

/** The time limit of a poll: a browser keeps several connections, and tries one dead one after another. */
const DEADLINE_MS = 5000;
/** The limit doubles up to this while polls are not answered, since a slow network needs more time. */
const DEADLINE_MAX_MS = 30_000;
const JITTER = 0.1;
/** A maintenance page may ask for a longer `Retry-After`, and be over sooner. */
const RETRY_AFTER_MAX_MS = 300_000;

/**
 * The outcome of a poll. The data is that of a session, or a page of a list.
 * @typedef {{outcome: "answered", data: any, etag: string}} Answered
 * @typedef {{outcome: "unchanged" | "denied" | "rejected" | "failed"}} NoData
 */

/** Polls a session's state, or a list of sessions: once, or at intervals. */
export class Poller {
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
      // An id with half a surrogate pair fits into no URL, neither of a poll nor of a stream.
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
    /** @satisfies {RequestInit} */
    const init = {
      headers: { Accept: "application/json", ...(etag && { "If-None-Match": etag }) },
      credentials: this.#withCredentials ? "include" : "same-origin",
      // On another origin scripts do not see the ETag; the browser's cache still revalidates by itself.
      cache: "no-cache",
      signal,
    };
    const fetch = this.#fetch;
    return this.#token === undefined ? fetch(this.#url(), init) : fetchWithToken(this.#token, fetch, this.#url(), init);
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
    // A captive portal answers 200 to everything.
    if (!Array.isArray(data?.[this.#array])) return { outcome: "failed" };
    return { outcome: "answered", data, etag: response.headers.get("ETag") ?? "" };
  }
}

/**
 * The wait that a Retry-After header asks for, in seconds or by a date. [RFC 9110 §10.2.3]
 * @param {Response} response
 */
function retryAfter_ms(response) {
  const value = response.headers.get("Retry-After") ?? "";
  const delay_ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return delay_ms > 0 ? Math.min(delay_ms, RETRY_AFTER_MAX_MS) : 0;
}
