import { isolated, make, setText } from "./dom.js";
import { icon, iconOf } from "./icons.js";
import { Later } from "./later.js";
import { LongText } from "./long-text.js";
import { StepFold } from "./step-fold.js";
import {
  attemptText,
  countOf,
  formerAttempts,
  limitText,
  silenceText,
  spentText,
  stateText,
  timesText,
} from "./step-words.js";
import { isStalled, startedAt } from "./steps.js";
import { TimelineBar } from "./timeline.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./parts-view.js").PartsView} PartsView */
/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./step-folds.js").Fold} Fold */
/** @typedef {import("./timeline-spans.js").Span} Span */
/** @typedef {import("./usual-times.js").Learned} Learned */
/**
 * @typedef {object} ItemOptions
 * @property {boolean} hasTimeline Whether a bar beside each duration shows when the step ran.
 * @property {(step: number) => Promise<Part[]>} loadParts All parts of a step.
 * @property {boolean} hasSigns Whether the text has a sign of the status and parentheses around the duration, which
 *   scripts read in the page's list. Nothing of that is drawn.
 */

const SIGNS = { pending: "⏳", running: "🔄", success: "✅", error: "❌" };

/** One step of the list. */
export class StepItem {
  element = make("li");
  #language;
  #sign = make("span", "sign");
  #icon = make("span", "icon", this.#sign);
  /** @type {import("./icons.js").IconName | null} */
  #iconName = null;
  #name = isolated("", "name");
  #before = make("span", "sign");
  #duration = make("span", "duration");
  #after = make("span", "sign");
  #elapsed = make("span", "elapsed", this.#before, this.#duration, this.#after);
  #attempt = make("span", "attempt");
  #outcome = make("span", "outcome");
  #limit = make("span", "limit");
  /** @type {TimelineBar | null} */
  #bar;
  #message;
  #gauge = make("span", "gauge", make("span", "gauge-fill"));
  #count = make("span", "count");
  #inside = make("p", "inside", this.#gauge, this.#count);
  #about;
  #options;
  /** Made for a step at which a fold begins. @type {StepFold | null} */
  #fold = null;
  /** Of a step that has parts. @type {Later<PartsView>} */
  #parts = new Later(
    () => this.#loadParts(),
    (parts) => this.#addParts(parts),
  );
  /** The step that is shown. @type {Step | null} */
  #step = null;
  /** The same as JSON. */
  #shown = "";
  /** With what its times were described. @type {Learned | null} */
  #learned = null;

  /** @param {Language} language @param {ItemOptions} options */
  constructor(language, options) {
    this.#language = language;
    this.#options = options;
    this.#message = new LongText(language.texts, "message");
    this.#icon.setAttribute("role", "img");
    this.#gauge.ariaHidden = "true";
    this.#bar = options.hasTimeline ? new TimelineBar() : null;
    const words = [this.#outcome, this.#attempt, this.#limit];
    const bar = this.#bar ? [this.#bar.element] : [];
    const line = make("p", "line", this.#name, " ", this.#elapsed, ...words, ...bar);
    this.#about = make("div", "about", line, this.#message.text, this.#inside);
    this.element.append(this.#icon, " ", this.#about);
  }

  /** @param {Step} step @param {number} now_ms @param {Learned} learned @param {Span | null} span Null: not begun. */
  show(step, now_ms, learned, span) {
    const json = JSON.stringify(step);
    const isChanged = json !== this.#shown;
    this.#shown = json;
    this.#step = step;
    if (isChanged) this.#showState(step);
    if (isChanged || step.status === "running") this.#showTimes(step, now_ms, learned);
    this.#bar?.show(span);
    if (isChanged || learned !== this.#learned) this.#describeTimes(step, learned);
  }

  /** @param {HTMLElement} element */
  attach(element) {
    this.#about.append(element);
  }

  /** @param {Step} step */
  #showState(step) {
    const { conclusion = "", parts } = step.status === "pending" ? {} : step;
    this.element.dataset.status = step.status;
    this.element.dataset.conclusion = conclusion;
    this.element.toggleAttribute("data-stalled", isStalled(step));
    this.element.style.setProperty("--number", String(step.step));
    this.element.part.value = `step step-${step.status}${conclusion && ` step-${conclusion}`}`;
    if (step.status === "running") this.element.setAttribute("aria-current", "step");
    else this.element.removeAttribute("aria-current");
    this.#showIcon(iconOf(step.status, { conclusion, isStalled: isStalled(step) }), step);
    setText(this.#attempt, spaced(attemptText(step, this.#language)));
    setText(this.#name, step.name);
    this.#message.show(step.status === "pending" ? "" : step.message);
    this.#showInside(countOf(step));
    if (parts) void this.#parts.need();
    this.#parts.part?.show(parts, step.status === "running");
  }

  /** A drawing that moves must stay the same element. @param {import("./icons.js").IconName} name @param {Step} step */
  #showIcon(name, step) {
    // The conclusion is said beside it.
    this.#icon.setAttribute(
      "aria-label",
      this.#language.text(isStalled(step) ? "step_stalled" : `step_${step.status}`),
    );
    if (this.#options.hasSigns) setText(this.#sign, SIGNS[step.status]);
    if (name === this.#iconName) return;
    this.#iconName = name;
    this.#icon.replaceChildren(this.#sign, icon(name));
  }

  async #loadParts() {
    const { PartsView } = await import("./parts-view.js");
    return new PartsView(this.#language, () => this.#options.loadParts(this.#step?.step ?? 0));
  }

  /** @param {PartsView} view */
  #addParts(view) {
    this.#inside.after(view.element);
    const step = this.#step;
    if (step && step.status !== "pending") view.show(step.parts, step.status === "running");
  }

  /** The progress inside the step. @param {{current: number, total: number | null} | null} progress */
  #showInside(progress) {
    this.#inside.hidden = !progress;
    setText(this.#count, progress ? this.#language.counted(progress) : "");
    if (!progress) return;
    const { current, total } = progress;
    this.#gauge.toggleAttribute("data-endless", total === null);
    const filled = /** @type {HTMLElement} */ (this.#gauge.firstElementChild);
    filled.style.width = total === null ? "" : `${total && (100 * current) / total}%`;
  }

  /** @param {Step} step @param {number} now_ms @param {Learned} learned */
  #showTimes(step, now_ms, learned) {
    const hasConclusion = step.status !== "pending" && step.conclusion;
    const outcome = hasConclusion ? stateText(step, this.#language) : silenceText(step, now_ms, this.#language);
    setText(this.#outcome, spaced(outcome));
    const limit = limitText(step, learned, now_ms, this.#language);
    const text = spentText(step, now_ms, this.#language, this.#options.hasSigns);
    const isMarked = this.#options.hasSigns && text !== "";
    setText(this.#before, isMarked ? "(" : "");
    setText(this.#duration, text);
    setText(this.#after, isMarked ? ")" : "");
    setText(this.#limit, spaced(limit));
    this.element.toggleAttribute("data-over-limit", limit !== "");
  }

  /** @param {Step} step @param {Learned} learned */
  #describeTimes(step, learned) {
    this.#learned = learned;
    this.#bar?.describe(timesText(step, learned, this.#language), formerAttempts(step));
    this.#setStop();
  }

  /** The tabulator stops where there are times to show. Scripts bring the focus anywhere. */
  #setStop() {
    const isShown = this.#bar && !this.element.hasAttribute("data-folded");
    this.element.tabIndex = isShown && this.#step && startedAt(this.#step) ? 0 : -1;
  }

  // The fold that begins here

  /** @param {Fold} fold @param {boolean} isOpen @param {() => void} onToggle */
  fold(fold, isOpen, onToggle) {
    if (this.#fold?.element.dataset.kind !== fold.kind) {
      this.#fold?.element.remove();
      this.#fold = new StepFold(this.#language, fold.kind, { hasTimeline: this.#options.hasTimeline, onToggle });
      this.element.prepend(this.#fold.element);
    }
    this.#fold.element.hidden = false;
    this.#fold.show(fold, isOpen);
    this.element.toggleAttribute("data-folded", !isOpen);
    this.#setStop();
  }

  /** @param {Span | null} span Of the steps that are folded. */
  showFoldSpan(span) {
    this.#fold?.showSpan(span);
  }

  /** Shows the step, and no fold. */
  unfold() {
    this.element.removeAttribute("data-folded");
    if (this.#fold) this.#fold.element.hidden = true;
    this.#setStop();
  }

  focusFold() {
    this.#fold?.element.focus();
  }
}

/** A text that follows another one. @param {string} text */
function spaced(text) {
  return text && ` ${text}`;
}
