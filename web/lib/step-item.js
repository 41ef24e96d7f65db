import { isolated, make, setText } from "./dom.js";
import { clock } from "./durations.js";
import { checkTimeout } from "./index.js";
import { PartsView } from "./parts-view.js";
import { elapsed_ms } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./wire.js").Parts} Parts */
/** @typedef {import("./wire.js").Step} Step */

const ICONS = { pending: "⏳", running: "🔄", success: "✅", error: "❌" };

/** One step of the list. */
export class StepItem {
  element = make("li");
  #language;
  #icon = make("span", "icon");
  #name = isolated("", "name");
  #elapsed = make("span", "elapsed");
  #outcome = make("span", "outcome");
  #limit = make("span", "limit");
  #message = isolated("", "message");
  #gauge = make("span", "gauge", make("span", "gauge-fill"));
  #count = make("span", "count");
  #inside = make("p", "inside", this.#gauge, this.#count);
  #about;
  #loadParts;
  /** Made for a step that has parts. @type {PartsView | null} */
  #parts = null;
  /** The step that is shown, as JSON. */
  #shown = "";

  /** @param {Language} language @param {(step: number) => Promise<Part[]>} loadParts */
  constructor(language, loadParts) {
    this.#language = language;
    this.#loadParts = loadParts;
    this.#icon.setAttribute("role", "img");
    this.#gauge.ariaHidden = "true";
    const line = make("p", "line", this.#name, " ", this.#elapsed, this.#outcome, this.#limit);
    this.#about = make("div", "about", line, this.#message, this.#inside);
    this.element.append(this.#icon, " ", this.#about);
  }

  /** @param {Step} step @param {number} now_ms */
  show(step, now_ms) {
    const json = JSON.stringify(step);
    const isChanged = json !== this.#shown;
    this.#shown = json;
    if (isChanged) this.#showState(step);
    if (isChanged || step.status === "running") this.#showTimes(step, now_ms);
  }

  /** @param {Step} step */
  #showState(step) {
    const { conclusion = "", liveness, parts } = step.status === "pending" ? {} : step;
    this.element.dataset.status = step.status;
    this.element.dataset.conclusion = conclusion;
    this.element.toggleAttribute("data-stalled", liveness?.state === "stalled");
    this.element.part.value = `step step-${step.status}${conclusion && ` step-${conclusion}`}`;
    setText(this.#outcome, conclusion && ` ${this.#language.text(`step_${conclusion}`)}`);
    if (step.status === "running") this.element.setAttribute("aria-current", "step");
    else this.element.removeAttribute("aria-current");
    setText(this.#icon, ICONS[step.status]);
    this.#icon.setAttribute("aria-label", this.#language.text(`step_${step.status}`));
    setText(this.#name, step.name);
    setText(this.#message, step.status === "pending" ? "" : step.message);
    // The parts count what the step's own progress would count.
    this.#showInside(step.status === "running" && typeof parts?.total !== "number" ? step.progress : undefined);
    this.#showParts(step.step, parts);
  }

  /** @param {number} number Of the step. @param {Parts | undefined} parts */
  #showParts(number, parts) {
    if (parts && !this.#parts) {
      this.#parts = new PartsView(this.#language, () => this.#loadParts(number));
      this.#about.append(this.#parts.element);
    }
    this.#parts?.show(parts);
  }

  /** The progress inside the step. @param {{current: number, total: number | null} | undefined} progress */
  #showInside(progress) {
    // A worker that reports only messages has counted nothing.
    const isCounted = progress !== undefined && (progress.current > 0 || progress.total !== null);
    this.#inside.hidden = !isCounted;
    if (!isCounted) {
      setText(this.#count, "");
      return;
    }
    const { current, total } = progress;
    setText(this.#count, this.#language.counted(progress));
    this.#gauge.toggleAttribute("data-endless", total === null);
    const filled = /** @type {HTMLElement} */ (this.#gauge.firstElementChild);
    filled.style.width = total === null ? "" : `${total && (100 * current) / total}%`;
  }

  /** @param {Step} step @param {number} now_ms */
  #showTimes(step, now_ms) {
    const isOver = checkTimeout(step);
    setText(this.#elapsed, this.#elapsedText(step, now_ms));
    setText(this.#limit, isOver ? ` ${this.#language.text("over_limit", { limit: clock(step.timeout_ms ?? 0) })}` : "");
    this.element.toggleAttribute("data-over-limit", isOver);
  }

  /** @param {Step} step @param {number} now_ms */
  #elapsedText(step, now_ms) {
    if (step.status === "pending" || step.conclusion === "skipped") return "";
    const seconds = elapsed_ms(step, now_ms) / 1000;
    const digits = step.status === "running" ? String(Math.floor(seconds)) : seconds.toFixed(1);
    return this.#language.text("elapsed", { seconds: digits });
  }
}
