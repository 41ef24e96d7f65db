import { milestoneOf } from "./headline.js";
import { cancellationOf, hasNewRequest, requestSentence } from "./requests.js";

/** @typedef {import("./headline.js").Sentence} Sentence */
/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** What is announced of a session to a screen reader: milestones, and not each number. */
export class SessionNews {
  #language;
  #headlineOf;
  /** @type {SessionState | null} */
  #before = null;
  #isLate = false;
  #isIdle = false;

  /** @param {Language} language @param {(state: SessionState) => Sentence} headlineOf */
  constructor(language, headlineOf) {
    this.#language = language;
    this.#headlineOf = headlineOf;
  }

  /**
   * What is new since the last call; "" if nothing is, and at the first call.
   * @param {SessionState} state
   * @param {{words: string, isLate: boolean, isIdle: boolean}} time The time left in words, whether the job takes
   *   longer than that, and whether it has run no step for a while.
   */
  next(state, { words, isLate, isIdle }) {
    const [before, isNewlyLate, isNewlyIdle] = [this.#before, isLate && !this.#isLate, isIdle && !this.#isIdle];
    this.#before = state;
    this.#isLate = isLate;
    this.#isIdle = isIdle;
    if (!before) return "";
    const milestone = isNewlyIdle ? this.#headlineOf(state) : milestoneOf(before, state);
    const time = isNewlyLate || milestone?.key === "milestone" ? words : "";
    const reached = this.#language.joined([this.#textOf(milestone), time].filter(Boolean));
    return [reached, this.#textOf(this.#requestNews(before, state))].filter(Boolean).join(". ");
  }

  /** @param {Sentence | null} sentence */
  #textOf(sentence) {
    return sentence ? this.#language.text(sentence.key, sentence.values) : "";
  }

  /** @param {SessionState} before @param {SessionState} state */
  #requestNews(before, state) {
    if (!hasNewRequest(before.data, state.data)) return null;
    return cancellationOf(state.data) ? this.#headlineOf(state) : requestSentence(state.data);
  }
}
