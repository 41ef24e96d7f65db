import { copyText } from "../lib/clipboard.js";
import { make, makeButton, setText } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

const SHOWN_MS = 2000;

/** The button that copies the address of the page, for another person. */
export class CopyLink {
  element = makeButton("copy-link", "");
  #text = make("span", "tool-text");
  #texts;
  #announce;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #shown;

  /**
   * @param {Record<"copy_link" | "link_copied" | "copy_failed", string>} texts
   * @param {(text: string) => void} announce
   */
  constructor(texts, announce) {
    this.#texts = texts;
    this.#announce = announce;
    this.#show("link", texts.copy_link);
    this.element.addEventListener("click", () => void this.copy());
  }

  async copy() {
    // What follows the # may be a secret, and is none of the page's own.
    const [address = ""] = location.href.split("#");
    const isCopied = await copyText(address);
    const answer = isCopied ? this.#texts.link_copied : this.#texts.copy_failed;
    this.#show(isCopied ? "check" : "link", answer);
    this.#announce(answer);
    clearTimeout(this.#shown);
    this.#shown = setTimeout(() => this.#show("link", this.#texts.copy_link), SHOWN_MS);
  }

  /** @param {import("../lib/icons.js").IconName} name @param {string} text */
  #show(name, text) {
    setText(this.#text, text);
    this.element.title = text;
    this.element.replaceChildren(icon(name), this.#text);
  }
}
