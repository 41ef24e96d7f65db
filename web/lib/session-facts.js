import { fill, make, nodesOf, setText } from "./dom.js";
import { retryOf } from "./headline.js";
import { icon } from "./icons.js";
import { lifeSignOf } from "./life-signs.js";
import { doneSteps, runningSteps } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./life-signs.js").LifeSign} LifeSign */
/** @typedef {import("./session-state.js").SessionState} SessionState */

const MINUTE_MS = 60_000;

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
    const retry = retryOf(state);
    if (sign) this.#showNote(sign.kind === "quiet" ? "alive" : "stalled", this.#signNodes(sign, state, now_ms));
    else if (retry) this.#showNote("again", nodesOf(this.#language, retry.key, retry.values));
    else this.note.hidden = true;
  }

  /** @param {import("./icons.js").IconName} name @param {Node[]} nodes */
  #showNote(name, nodes) {
    fill(this.#noteIcon, [icon(name)]);
    fill(this.#noteText, nodes);
    this.note.hidden = false;
  }

  /** @param {SessionState} state */
  #showCounted({ data, isDeleted }) {
    const done = doneSteps(data);
    const isAbsent = data.status === "not_found";
    const nodes = isAbsent
      ? nodesOf(this.#language, isDeleted ? "restart" : "soon")
      : nodesOf(this.#language, this.#countedKey(data), { done, total: data.total_steps });
    fill(this.#counted, nodes);
  }

  /** @param {SessionState["data"]} data */
  #countedKey({ open_ended, status, total_steps }) {
    if (total_steps === 0) return "counted_none";
    const isOpen = open_ended && status !== "completed" && status !== "error";
    return this.#language.plural(isOpen ? "counted_open" : "counted", total_steps);
  }

  /** @param {LifeSign} sign @param {SessionState} state @param {number} now_ms */
  #signNodes(sign, { data }, now_ms) {
    if (sign.kind === "stalled") {
      const key = runningSteps(data).length > 1 ? "stalled_step" : "stalled";
      const time = this.#language.moment(sign.since_ms, now_ms);
      return nodesOf(this.#language, key, { step: sign.step, time });
    }
    const grain_ms = sign.kind === "quiet" ? MINUTE_MS : 1;
    const duration_ms = Math.floor(sign.silent_ms / grain_ms) * grain_ms;
    return nodesOf(this.#language, sign.kind, { duration: { duration_ms } });
  }
}
