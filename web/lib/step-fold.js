import { make, makeButton, nodesOf, setText } from "./dom.js";
import { icon } from "./icons.js";
import { TimelineBar } from "./timeline.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./step-folds.js").Fold} Fold */

/** The line that stands for a run of steps, and shows or hides them. */
export class StepFold {
  element = makeButton("fold", "");
  #language;
  #text = make("span", "fold-text");
  /** Of steps that have run. @type {TimelineBar | null} */
  #bar;
  #took = make("span", "fold-took");

  /** @param {Language} language @param {Fold["kind"]} kind @param {{hasTimeline: boolean, onToggle: () => void}} options */
  constructor(language, kind, { hasTimeline, onToggle }) {
    this.#language = language;
    this.#bar = hasTimeline && kind === "done" ? new TimelineBar() : null;
    this.element.dataset.kind = kind;
    const mark = make("span", "fold-icon", icon(kind === "done" ? "success" : "pending"));
    const bar = this.#bar ? [this.#bar.element] : [];
    this.element.append(mark, this.#text, icon("chevron"), ...bar, this.#took);
    this.element.addEventListener("click", onToggle);
  }

  /** @param {Fold} fold @param {boolean} isOpen */
  show({ kind, first, last, took_ms }, isOpen) {
    const count = last - first + 1;
    this.element.ariaExpanded = String(isOpen);
    const text = this.#language.plural(kind === "done" ? "fold_done" : "fold_waiting", count);
    this.#text.replaceChildren(...nodesOf(this.#language, text, { count }));
    setText(this.#took, took_ms >= 1000 ? this.#language.took(took_ms) : "");
  }

  /** @param {import("./timeline-spans.js").Span | null} span */
  showSpan(span) {
    this.#bar?.show(span);
  }
}
