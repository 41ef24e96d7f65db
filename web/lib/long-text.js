import { isolated, makeButton, setText } from "./dom.js";

const LONG_CHARS = 240;
const LONG_LINES = 3;

/** A worker's text, cut to its beginning if it is long; then with a button that shows the rest. */
export class LongText {
  text;
  #texts;
  /** Made for a long text. @type {HTMLButtonElement | null} */
  #button = null;
  #isOpen = false;

  /** @param {Record<"show_more" | "show_less", string>} texts @param {string} name The class and part of the text. */
  constructor(texts, name) {
    this.#texts = texts;
    this.text = isolated("", name);
  }

  /** @param {string} text */
  show(text) {
    setText(this.text, text);
    const isLong = text.length > LONG_CHARS || text.split("\n").length > LONG_LINES;
    if (isLong) this.#button ??= this.#makeButton();
    if (this.#button) this.#button.hidden = !isLong;
    this.#draw(isLong);
  }

  #makeButton() {
    const button = makeButton("more", "");
    button.addEventListener("click", () => {
      this.#isOpen = !this.#isOpen;
      this.#draw(true);
    });
    this.text.after(button);
    return button;
  }

  /** @param {boolean} isLong */
  #draw(isLong) {
    this.text.toggleAttribute("data-cut", isLong && !this.#isOpen);
    if (!this.#button) return;
    this.#button.ariaExpanded = String(this.#isOpen);
    setText(this.#button, this.#isOpen ? this.#texts.show_less : this.#texts.show_more);
  }
}
