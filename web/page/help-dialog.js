import { make, makeButton } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("./shortcuts.js").Shortcuts} Shortcuts */

/** Lists the keys of the page, turns them off, and has a button that opens it. */
export class HelpDialog {
  element = make("dialog", "dialog");
  button = makeButton("help", "");
  #language;

  /** @param {Language} language */
  constructor(language) {
    this.#language = language;
    this.button.append(icon("keyboard"), make("span", "visually-hidden", language.text("keys")));
    this.button.title = `${language.text("keys")} (?)`;
    this.button.addEventListener("click", () => this.open());
  }

  open() {
    if (!this.element.open) this.element.showModal();
  }

  /** @param {Shortcuts} shortcuts */
  list(shortcuts) {
    const title = make("h2", "", this.#language.text("keys"));
    title.id = "keys-title";
    this.element.setAttribute("aria-labelledby", title.id);
    const rows = shortcuts.shortcuts.flatMap(({ key, text }) => [
      make("dt", "", make("kbd", "", key)),
      make("dd", "", this.#language.text(text)),
    ]);
    const close = makeButton("close", this.#language.text("close"));
    close.addEventListener("click", () => this.element.close());
    this.element.append(title, make("dl", "keys", ...rows), this.#switch(shortcuts), make("p", "actions", close));
  }

  /** @param {Shortcuts} shortcuts */
  #switch(shortcuts) {
    const box = make("input");
    Object.assign(box, { type: "checkbox", checked: shortcuts.isOn });
    box.addEventListener("change", () => {
      shortcuts.isOn = box.checked;
    });
    return make("label", "keys-switch", box, " ", this.#language.text("keys_on"));
  }
}
