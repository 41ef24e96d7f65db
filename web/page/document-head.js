import { element } from "../lib/dom.js";
import { combined, titleOf, titleOfMany } from "../lib/page-title.js";
import { faviconOf } from "./favicon.js";

/** The page's title and icon, which show all its sessions together. */
export class DocumentHead {
  #icon = /** @type {HTMLLinkElement} */ (element("favicon"));
  #shown = "";

  /**
   * @param {import("../lib/session-state.js").SessionState[]} states
   * @param {number} count Of sessions, also those without a state.
   * @param {string} title
   */
  show(states, count, title) {
    const [first] = states;
    if (!first) return;
    const text = count === 1 ? titleOf(first, title) : titleOfMany(states, count, title);
    if (document.title !== text) document.title = text;
    const { status, percentage } = combined(states, count);
    const icon = faviconOf(status, percentage);
    if (icon === this.#shown) return;
    this.#shown = icon;
    this.#icon.href = icon;
  }
}
