import { LimitedStream } from "./limited-stream.js";
import { onPutAway } from "./page-events.js";
import { serverClock } from "./server-clock.js";
import { SharedStream } from "./shared-stream.js";
import { isFolded, StreamState } from "./stream-state.js";
import { TabCoordinator } from "./tab-coordinator.js";

/** @typedef {import("../lib/wire.js").SessionList} SessionList */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").SessionListener<any>} SessionListener */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */

/**
 * @typedef {object} Notification
 * @property {unknown} data
 * @property {number} [since_ms]
 * @property {boolean} [isChange]
 * @property {Failure | undefined} [failure]
 */

/** @typedef {(event: SharedEvent) => void} OnEvent */
/** @typedef {import("./list-state.js").ListState} ListState */
/** @typedef {import("./list-stream.js").ListStream} ListStream */

/**
 * What a stream keeps, and what opens it.
 * @typedef {(settings: StreamSettings) => {state: StreamState | ListState, openStream: (onEvent: OnEvent) => SharedStream | ListStream}} Kind
 */

/** @type {Kind} */
function ofSessions(settings) {
  const state = new StreamState();
  return { state, openStream: (onEvent) => new SharedStream(settings, state, onEvent) };
}

/**
 * Hands the events of one stream to all trackers of the page that have the same settings. A list is followed as a session
 * is, under its query in place of an id.
 */
export class Hub {
  /** @type {Set<Hub>} */
  static #all = new Set();

  /** @param {StreamSettings} settings @param {Kind} [kind] */
  static of(settings, kind = ofSessions) {
    return [...Hub.#all].find((hub) => hub.hasSettings(settings)) ?? new Hub(settings, kind);
  }

  #settings;
  /** @type {StreamState | ListState} */
  #state;
  #source;
  /** @type {Map<string, Set<SessionListener>>} */
  #listeners = new Map();
  /** The browser has put the page away. */
  #isAway = false;
  #ending = new AbortController();

  /** @param {StreamSettings} settings @param {Kind} kind */
  constructor(settings, kind) {
    this.#settings = settings;
    const { state, openStream } = kind(settings);
    this.#state = state;
    const onEvent = (/** @type {SharedEvent} */ event) => this.#receive(event);
    const onState = () => {
      for (const [id, listeners] of this.#listeners) this.#catchUp(id, [...listeners]);
    };
    const openLimited = (/** @type {OnEvent} */ onEvent) => new LimitedStream(settings, openStream(onEvent), onEvent);
    this.#source = settings.isShared
      ? new TabCoordinator(settings, state, openLimited, { onEvent, onState })
      : openStream(onEvent);
  }

  /** @param {StreamSettings} settings */
  hasSettings(settings) {
    const keys = /** @type {(keyof StreamSettings)[]} */ (Object.keys(settings));
    return keys.every((key) => this.#settings[key] === settings[key]);
  }

  /** @param {string} id @param {SessionListener} listener */
  follow(id, listener) {
    if (!this.#listeners.size) this.#begin();
    this.#listeners.set(id, (this.#listeners.get(id) ?? new Set()).add(listener));
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
    this.#catchUp(query, [...(this.#listeners.get(query) ?? [])]);
  }

  #begin() {
    Hub.#all.add(this);
    onPutAway({ leave: () => this.#leave(), comeBack: () => this.#comeBack() }, this.#ending.signal);
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
    for (const listener of [...(this.#listeners.get(page.session_id) ?? [])]) {
      if (listener.wantsLog) listener.onLog?.(page);
    }
  }

  /** @param {SharedEvent} event */
  #receive(event) {
    if (event.type === "heartbeat") serverClock.add(Date.parse(event.data.now) - Date.now());
    if (event.type === "log") this.#handOnLog(event.data);
    const changed = this.#state.changed(event);
    const isCaughtUp = event.type === "heartbeat" && !event.isFirst;
    const since_ms = (event.type === "snapshot" && event.since_ms) || 0;
    for (const id of event.sessions) {
      const data = id === changed || isCaughtUp ? this.#state.data.get(id) : undefined;
      const notification = { data, since_ms, isChange: isFolded(event.type), failure: event.failure };
      for (const listener of [...(this.#listeners.get(id) ?? [])]) this.#notify(id, listener, notification);
    }
  }
}
