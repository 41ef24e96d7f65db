import { ConnectionSlot } from "./connection-slot.js";
import { HOPELESS } from "./stream.js";

/** @typedef {import("./types.js").SharedEvent} SharedEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */
/** @typedef {import("./types.js").StreamSource} StreamSource */
/** @typedef {import("./types.js").Wanted} Wanted */

/** A stream that is closed while other streams take all connections that the browser has for them: its pages poll. */
export class LimitedStream {
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
}
