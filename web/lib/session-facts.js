import { fill, make, nodesOf, setText } from "./dom.js";
import { countedOf, elapsedOf, retryOf } from "./headline.js";
import { icon } from "./icons.js";
import { lifeSignOf, signSentence } from "./life-signs.js";
import { isIdle } from "./steps.js";

/** @typedef {import("./headline.js").Sentence} Sentence */
/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

const SEPARATOR = " · ";

/** What stands beside the headline: the time that has passed, the time left, and the steps. Then a note about the worker or a retry. */
export class SessionFacts {
  #language;
  #root;
  #total = make("span", "total");
  #timeLeft = make("span", "time-left");
  #counted = make("span", "counted");
  element = make("p", "facts", this.#total, " ", this.#timeLeft, " ", this.#counted);
  #noteIcon = make("span", "note-icon");
  #noteText = make("span", "note-text");
  note = make("p", "note", this.#noteIcon, this.#noteText);

  /**
   * @param {Language} language
   * @param {HTMLElement} root Of the session. `data-silent` and `data-idle` keep it from looking alive.
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
    const { data, isDeleted } = state;
    const elapsed = elapsedOf(data, now_ms);
    const absent = /** @type {Sentence} */ ({ key: isDeleted ? "restart" : "soon", values: {} });
    const counted = data.status === "not_found" ? [absent] : countedOf(data);
    setText(this.#total, elapsed ? this.#textOf(elapsed) : "");
    setText(this.#timeLeft, time);
    setText(this.#counted, counted.map((sentence) => this.#textOf(sentence)).join(SEPARATOR));
    const sign = isConnected ? lifeSignOf(state, now_ms) : null;
    this.#root.toggleAttribute("data-silent", sign?.kind === "silent" || sign?.kind === "stalled");
    this.#root.toggleAttribute("data-quiet", sign?.kind === "quiet");
    this.#root.toggleAttribute("data-idle", isIdle(data, now_ms));
    const note = sign ? signSentence(sign, data, now_ms, this.#language) : retryOf(state);
    this.note.hidden = note === null;
    if (!note) return;
    fill(this.#noteIcon, [icon(sign ? (sign.kind === "quiet" ? "alive" : "stalled") : "again")]);
    fill(this.#noteText, nodesOf(this.#language, note.key, note.values));
  }

  /** @param {Sentence} sentence Without any text of a worker. */
  #textOf({ key, values }) {
    return this.#language.text(key, values);
  }
}
