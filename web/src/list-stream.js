import { Stream } from "./stream.js";

/** @typedef {import("./list-state.js").ListState} ListState */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */
/** @typedef {import("./types.js").StreamEvent} StreamEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */

/** Follows a list of sessions by a stream of its own. After each interruption it begins with the whole list. */
export class ListStream {
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
    if (query === undefined) {
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
}
