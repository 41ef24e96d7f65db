/* Shows a tracker's connection by a colour, a shape and a word. */
import { make, setText } from "./dom.js";

/** A shorter interruption is not shown. */
const SHOWN_AFTER_MS = 2000;

/** @typedef {import("./wire.js").TrackerState | "offline"} Connection */

export class ConnectionBadge {
  element = make("p", "connection");
  #language;
  #root;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #delay;

  /**
   * @param {import("./language.js").Language} language
   * @param {HTMLElement} root Gets the state as `data-connection`, for the style sheet.
   */
  constructor(language, root) {
    this.#language = language;
    this.#root = root;
    this.#root.dataset.connection = "connecting";
    this.element.hidden = true;
  }

  /** @param {import("./wire.js").TrackerState} state @param {number} interval_ms */
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

  /** @param {Connection} connection @param {number} interval_ms */
  #show(connection, interval_ms) {
    setText(this.element, this.#language.text(`connection_${connection}`, { seconds: interval_ms / 1000 }));
    this.element.hidden = false;
    this.#root.dataset.connection = connection;
  }
}
