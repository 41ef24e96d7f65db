import { make } from "./dom.js";
import { StepItem } from "./step-item.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./wire.js").Step} Step */

/** The list of a session's steps. Each item stays the same element from one update to the next. */
export class StepList {
  element = make("ol", "steps");
  #language;
  #loadParts;
  /** @type {StepItem[]} */
  #items = [];

  /** @param {Language} language @param {(step: number) => Promise<Part[]>} loadParts All parts of a step. */
  constructor(language, loadParts) {
    this.#language = language;
    this.#loadParts = loadParts;
    // Safari drops the role of a list without markers.
    this.element.setAttribute("role", "list");
  }

  /** @param {Step[]} steps @param {number} now_ms */
  show(steps, now_ms) {
    for (const item of this.#items.splice(steps.length)) item.element.remove();
    for (const [index, step] of steps.entries()) {
      const item = this.#items[index] ?? this.#append();
      item.show(step, now_ms);
    }
  }

  #append() {
    const item = new StepItem(this.#language, this.#loadParts);
    this.#items.push(item);
    this.element.append(item.element);
    return item;
  }
}
