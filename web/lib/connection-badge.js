/* How a session's tracker is connected, in a colour, a shape and a word. */
import { make, setText } from "./dom.js";

/** A connection that is back within this time was never worth a word. */
const TROUBLE_SHOWN_AFTER_MS = 2000;

/** @typedef {import("./wire.js").TrackerState | "offline"} Connection */

export class Badge {
  element = make("p", "connection");
  #language;
  #root;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #delay;

  /**
   * @param {import("./language.js").Language} language
   * @param {HTMLElement} root Bears the state for the style sheet, as `data-connection`.
   */
  constructor(language, root) {
    this.#language = language;
    this.#root = root;
    this.#root.dataset.connection = "connecting";
    this.element.hidden = true;
  }

  /** @param {import("./wire.js").TrackerState} state @param {number} interval_ms */
  follow(state, interval_ms) {
    clearTimeout(this.#delay);
    const isTrouble = state === "connecting" || state === "reconnecting";
    if (isTrouble && navigator.onLine) {
      this.#delay = setTimeout(() => this.#show(state, interval_ms), TROUBLE_SHOWN_AFTER_MS);
    } else {
      this.#show(isTrouble ? "offline" : state, interval_ms);
    }
  }

  rest() {
    clearTimeout(this.#delay);
  }

  /** @param {Connection} connection @param {number} interval_ms */
  #show(connection, interval_ms) {
    setText(this.element, this.#language.text(`connection_${connection}`, { seconds: interval_ms / 1000 }));
    this.element.hidden = false;
    this.#root.dataset.connection = connection;
  }
}
