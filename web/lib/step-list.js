import { focusedIn, make } from "./dom.js";
import { foldsOf, SHORT } from "./step-folds.js";
import { StepItem } from "./step-item.js";
import { StepsHead } from "./steps-head.js";
import { spansOf, unionOf } from "./timeline-spans.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./step-folds.js").Fold} Fold */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./wire.js").Step} Step */

/**
 * The list of a session's steps. Each item stays the same element from one update to the next. In a long list, runs of
 * steps that are done or have not begun are folded into one line, which is part of the first item that it stands for.
 */
export class StepList {
  element;
  #list = make("ol", "steps");
  #language;
  #options;
  #head;
  /** @type {StepItem[]} */
  #items = [];
  /** The keys of the folds that are open. @type {Set<string>} */
  #open = new Set();
  /** @type {Fold[]} */
  #folds = [];
  /** The statuses that the folds were made of. */
  #statuses = "";

  /**
   * @param {Language} language
   * @param {import("./step-item.js").ItemOptions} options
   */
  constructor(language, options) {
    this.#language = language;
    this.#options = options;
    this.#head = new StepsHead(language, this.#list, () => this.#toggleAll());
    // Safari drops the role of a list without markers.
    this.#list.setAttribute("role", "list");
    this.#hideTimesOnEscape();
    this.element = make("div", "steps-section", this.#head.element, this.#list);
  }

  /** @param {Step[]} steps @param {number} now_ms @param {import("./usual-times.js").Learned} learned */
  show(steps, now_ms, learned) {
    for (const item of this.#items.splice(steps.length)) item.element.remove();
    const spans = this.#options.hasTimeline ? spansOf(steps, now_ms, learned) : [];
    for (const [index, step] of steps.entries()) {
      const item = this.#items[index] ?? this.#append();
      item.show(step, now_ms, learned, spans[index] ?? null);
    }
    this.#showState(steps);
    for (const { first, last } of this.#folds) this.#items[first]?.showFoldSpan(unionOf(spans.slice(first, last + 1)));
  }

  /** What follows from the statuses. @param {Step[]} steps */
  #showState(steps) {
    const statuses = steps.map(({ status, elapsed_ms }) => `${status} ${elapsed_ms}`).join();
    if (statuses === this.#statuses) return;
    this.#statuses = statuses;
    this.#list.toggleAttribute("data-long", steps.length > SHORT);
    this.#folds = foldsOf(steps);
    this.#showFolds();
    this.#head.show(steps);
  }

  /** Puts something under a step. @param {number} step @param {HTMLElement} element */
  attach(step, element) {
    this.#items[step - 1]?.attach(element);
  }

  #append() {
    const item = new StepItem(this.#language, this.#options);
    this.#items.push(item);
    this.#list.append(item.element);
    return item;
  }

  /** What hover and focus bring can be dismissed [WCAG 2.2, 1.4.13], also while the focus is elsewhere. */
  #hideTimesOnEscape() {
    const list = this.#list;
    const onKey = (/** @type {KeyboardEvent} */ { key }) =>
      void (key === "Escape" && list.setAttribute("data-calm", ""));
    list.addEventListener("keydown", onKey);
    list.addEventListener("pointerenter", () => addEventListener("keydown", onKey));
    list.addEventListener("pointerleave", () => removeEventListener("keydown", onKey));
    for (const type of ["pointerover", "focusin"]) list.addEventListener(type, () => list.removeAttribute("data-calm"));
  }

  // The folds

  #showFolds() {
    const focused = focusedIn(this.#list);
    for (const [index, item] of this.#items.entries()) this.#showFold(index, item);
    this.#head.setOpen(this.#folds.length, this.#isOpen);
    if (focused) this.#keepFocus(focused);
  }

  /** @param {number} index */
  #foldAt(index) {
    return this.#folds.find(({ first, last }) => first <= index && index <= last);
  }

  /** Nothing that stays is hidden in between: it would lose the focus. @param {number} index @param {StepItem} item */
  #showFold(index, item) {
    const fold = this.#foldAt(index);
    const isOpen = !fold || this.#open.has(fold.key);
    item.element.hidden = !isOpen && index !== fold.first;
    if (fold?.first === index) item.fold(fold, isOpen, () => this.#toggle(index));
    else item.unfold();
  }

  /** @param {number} first Of the fold. */
  #toggle(first) {
    const key = this.#foldAt(first)?.key ?? "";
    if (!this.#open.delete(key)) this.#open.add(key);
    this.#showFolds();
  }

  get #isOpen() {
    return this.#folds.every(({ key }) => this.#open.has(key));
  }

  #toggleAll() {
    const keys = this.#isOpen ? [] : this.#folds.map(({ key }) => key);
    this.#open = new Set(keys);
    this.#showFolds();
  }

  /** What is folded while it has the focus leaves it to the line that stands for it. @param {Element} focused */
  #keepFocus(focused) {
    const index = this.#items.findIndex(({ element }) => element.contains(focused));
    const fold = this.#foldAt(index);
    if (!fold || this.#open.has(fold.key)) return;
    const first = this.#items[fold.first];
    if (focused !== first?.element && !focused.matches(".fold")) first?.focusFold();
  }
}
