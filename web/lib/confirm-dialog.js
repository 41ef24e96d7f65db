import { fill, make, makeButton, nodesOf } from "./dom.js";

/** @typedef {import("./language.js").Language} Language */

/** Asks whether a job is really to be cancelled. Escape means no, and the focus returns to where it was. */
export class ConfirmDialog {
  element = make("dialog", "dialog");
  #language;
  #question = make("p", "dialog-question");

  /** @param {Language} language @param {() => void} onConfirm */
  constructor(language, onConfirm) {
    this.#language = language;
    const keep = makeButton("keep", language.text("cancel_not"));
    const confirm = makeButton("confirm", language.text("cancel_confirm"));
    keep.addEventListener("click", () => this.close());
    confirm.addEventListener("click", () => {
      this.close();
      onConfirm();
    });
    const hint = make("p", "quiet", language.text("cancel_hint"));
    this.element.append(this.#question, hint, make("p", "actions", keep, confirm));
  }

  /** @param {string} name Of the job. */
  open(name) {
    if (this.element.open) return;
    fill(this.#question, nodesOf(this.#language, "cancel_question", { name }));
    this.element.ariaLabel = this.#language.text("cancel_question", { name });
    this.element.showModal();
  }

  close() {
    if (this.element.open) this.element.close();
  }
}
