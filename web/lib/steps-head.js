import { make, makeButton, setText } from "./dom.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Step} Step */

/** Above a long list of steps: what brings the running or the failed step into view, and what shows all steps. */
export class StepsHead {
  element = make("p", "steps-head");
  #language;
  #list;
  #jump = makeButton("jump", "");
  #all = makeButton("fold-all", "");
  #target = "";

  /** @param {Language} language @param {HTMLElement} list @param {() => void} onToggleAll */
  constructor(language, list, onToggleAll) {
    this.#language = language;
    this.#list = list;
    this.#jump.addEventListener("click", () =>
      focusStep(list.querySelector(`:scope > [data-status="${this.#target}"]`)),
    );
    this.#all.addEventListener("click", onToggleAll);
    this.element.append(this.#jump, this.#all);
    this.element.hidden = true;
  }

  /** @param {Step[]} steps */
  show(steps) {
    const target = ["error", "running"].find((wanted) => steps.some(({ status }) => status === wanted));
    this.#target = target ?? "";
    this.#jump.hidden = !target || !this.#list.hasAttribute("data-long");
    if (target) setText(this.#jump, this.#language.text(target === "error" ? "jump_failed" : "jump_running"));
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
