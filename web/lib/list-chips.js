import { isolated, make } from "./dom.js";
import { groupOf } from "./list-filter.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./list-filter.js").Filter} Filter */

const ENDS = /** @type {const} */ (["failed", "cancelled", "lost"]);

/** What a visitor has chosen and no other control shows, each a button that removes it from the filter. */
export class ListChips {
  element = make("ul", "list-filters");
  #language;
  #choose;

  /** @param {Language} language @param {(filter: Filter) => void} choose */
  constructor(language, choose) {
    this.#language = language;
    this.#choose = choose;
    this.element.setAttribute("role", "list");
    this.element.ariaLabel = language.text("list_filters");
    this.element.hidden = true;
  }

  /** @param {Filter} filter */
  show(filter) {
    const { prefix, labels, statuses } = filter;
    const chips = Object.entries(labels).map(([key, value]) => {
      const { [key]: _, ...others } = labels;
      return this.#chip(this.#language.text("list_pair", { key, value }), { ...filter, labels: others });
    });
    if (prefix) chips.unshift(this.#chip(this.#language.text("list_prefix", { prefix }), { ...filter, prefix: "" }));
    if (!groupOf(statuses)) chips.unshift(this.#chip(this.#stateWords(statuses), { ...filter, statuses: [] }));
    this.element.replaceChildren(...chips);
    this.element.hidden = !chips.length;
  }

  /** @param {Filter["statuses"]} statuses */
  #stateWords(statuses) {
    const looks = statuses.flatMap((status) => (status === "error" ? ENDS : [status]));
    return this.#language.joined([...new Set(looks)].map((look) => this.#language.text(`list_${look}`)));
  }

  /** @param {string} text @param {Filter} without */
  #chip(text, without) {
    const chip = make("button", "chip chosen", isolated(text), make("span", "chip-remove", "×"));
    chip.type = "button";
    chip.ariaLabel = this.#language.text("list_unfilter", { label: text });
    chip.addEventListener("click", () => this.#choose(without));
    return make("li", "", chip);
  }
}
