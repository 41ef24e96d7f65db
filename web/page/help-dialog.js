import { make, makeButton } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { Later } from "../lib/later.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("./shortcuts.js").Shortcuts} Shortcuts */

/** Lists the keys of the page, and has a button that opens it. Its content is loaded then. */
export class HelpDialog {
  element = make("dialog", "dialog");
  button = makeButton("help", "");
  /** @type {Shortcuts | null} */
  shortcuts = null;
  #language;
  #content = new Later(
    () => this.#load(),
    () => this.open(),
  );

  /** @param {Language} language */
  constructor(language) {
    this.#language = language;
    this.button.append(icon("keyboard"), make("span", "visually-hidden", language.text("keys")));
    this.button.title = `${language.text("keys")} (?)`;
    this.button.addEventListener("click", () => this.open());
  }

  open() {
    if (!this.#content.part) void this.#content.need();
    else if (!this.element.open) this.element.showModal();
  }

  async #load() {
    const { fillHelp } = await import("./help-keys.js");
    if (this.shortcuts) fillHelp(this.element, this.#language, this.shortcuts);
    return this.element;
  }
}
