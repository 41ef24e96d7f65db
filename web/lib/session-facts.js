import { fill, make, nodesOf, setText } from "./dom.js";
import { countedOf, retryOf } from "./headline.js";
import { icon } from "./icons.js";
import { lifeSignOf, signSentence } from "./life-signs.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** How far a session is, how much time it has left, and a note about its worker or a retry. */
export class SessionFacts {
  #language;
  #root;
  #counted = make("span", "counted");
  #timeLeft = make("span", "time-left");
  element = make("p", "facts", this.#counted, " ", this.#timeLeft);
  #noteIcon = make("span", "note-icon");
  #noteText = make("span", "note-text");
  note = make("p", "note", this.#noteIcon, this.#noteText);

  /**
   * @param {Language} language
   * @param {HTMLElement} root Of the session. `data-silent` keeps it from looking alive.
   */
  constructor(language, root) {
    this.#language = language;
    this.#root = root;
    this.note.hidden = true;
  }

  /**
   * @param {SessionState} state
   * @param {number} now_ms
   * @param {string} time The time left, in words.
   * @param {boolean} isConnected Without a connection nothing is known of the worker.
   */
  show(state, now_ms, time, isConnected) {
    this.#showCounted(state);
    setText(this.#timeLeft, time);
    const sign = isConnected ? lifeSignOf(state, now_ms) : null;
    this.#root.toggleAttribute("data-silent", sign?.kind === "silent" || sign?.kind === "stalled");
    this.#root.toggleAttribute("data-quiet", sign?.kind === "quiet");
    const note = sign ? signSentence(sign, state.data, now_ms, this.#language) : retryOf(state);
    this.note.hidden = note === null;
    if (!note) return;
    fill(this.#noteIcon, [icon(sign ? (sign.kind === "quiet" ? "alive" : "stalled") : "again")]);
    fill(this.#noteText, nodesOf(this.#language, note.key, note.values));
  }

  /** @param {SessionState} state */
  #showCounted({ data, isDeleted }) {
    const absent = /** @type {const} */ ({ key: isDeleted ? "restart" : "soon", values: {} });
    const { key, values } = data.status === "not_found" ? absent : countedOf(data, this.#language);
    fill(this.#counted, nodesOf(this.#language, key, values));
  }
}
