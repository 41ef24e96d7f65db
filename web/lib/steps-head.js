import { make, makeButton, setText } from "./dom.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Step} Step */

/** What matters, first the most: a job that goes on after it has cancelled a step is looked at for what runs. */
const TARGETS = /** @type {const} */ (["failed", "running", "cancelled"]);

/** @param {Step} step @returns {(typeof TARGETS)[number] | "none"} */
function targetOf(step) {
  if (step.status === "error") return step.conclusion === "cancelled" ? "cancelled" : "failed";
  return step.status === "running" ? "running" : "none";
}

/** Above a long list of steps: what brings the step that matters into view, and what shows all steps. */
export class StepsHead {
  element = make("p", "steps-head");
  #language;
  #list;
  #jump = makeButton("jump", "");
  #all = makeButton("fold-all", "");
  /** The index of the step that matters; -1: none. */
  #target = -1;

  /** @param {Language} language @param {HTMLElement} list @param {() => void} onToggleAll */
  constructor(language, list, onToggleAll) {
    this.#language = language;
    this.#list = list;
    this.#jump.addEventListener("click", () => focusStep(list.children[this.#target]));
    this.#all.addEventListener("click", onToggleAll);
    this.element.append(this.#jump, this.#all);
    this.element.hidden = true;
  }

  /** @param {Step[]} steps */
  show(steps) {
    const targets = steps.map(targetOf);
    const target = TARGETS.find((wanted) => targets.includes(wanted));
    this.#target = target ? targets.indexOf(target) : -1;
    this.#jump.hidden = !target || !this.#list.hasAttribute("data-long");
    if (target) {
      this.#jump.dataset.target = target;
      setText(this.#jump, this.#language.text(`jump_${target}`));
    }
    this.element.hidden = this.#jump.hidden && this.#all.hidden;
  }

  /** @param {number} folds A single one needs no button beside its own. @param {boolean} isOpen Whether all are open. */
  setOpen(folds, isOpen) {
    this.#all.hidden = folds < 2;
    this.#all.ariaExpanded = String(isOpen);
    setText(this.#all, this.#language.text(isOpen ? "show_fewer" : "show_all"));
    this.element.hidden = this.#jump.hidden && this.#all.hidden;
  }
}

/** Brings a step into view, and the focus to it. @param {Element | null | undefined} step */
export function focusStep(step) {
  if (!(step instanceof HTMLElement)) return;
  step.focus({ preventScroll: true });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  step.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
}
