import { fill, make, makeButton, nodesOf, setText } from "./dom.js";
import { cellsOf, cellText, partsText, reportedParts } from "./parts.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./parts.js").Cell} Cell */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./wire.js").Parts} Parts */

/** More cells are smaller. */
const MANY = 60;
/** All parts are loaded again at most once in this time, while they are shown. */
const RELOAD_MS = 2000;

/** The parts of a step: counted, as a grid of cells, and as a list. */
export class PartsView {
  element = make("div", "parts");
  #language;
  #load;
  #count = make("p", "parts-count");
  #cells = make("ul", "cells");
  /** Shows the text of one cell. It keeps its place while it is empty. */
  #readout = make("p", "part-readout");
  #list = make("ul", "parts-list");
  #all;
  #details;
  /** @type {Parts | null} */
  #parts = null;
  #isRunning = false;
  /** All parts, once they have been loaded. @type {Part[] | null} */
  #known = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #reload;
  /** The cell that the keyboard reaches, or under the pointer. @type {Element | null} */
  #pointed = null;

  /** @param {Language} language @param {() => Promise<Part[]>} load All parts. */
  constructor(language, load) {
    this.#language = language;
    this.#load = load;
    this.#all = makeButton("all", "");
    this.#all.addEventListener("click", () => void this.#showAll());
    const summary = make("summary", "", language.text("parts_list"));
    this.#details = make("details", "parts-details", summary, this.#list, this.#all);
    this.#details.addEventListener("toggle", () => this.#showList());
    // Safari drops the role of a list without markers.
    for (const list of [this.#cells, this.#list]) list.setAttribute("role", "list");
    this.#list.tabIndex = 0; // It scrolls.
    this.#list.ariaLabel = language.text("parts_list");
    this.#readout.ariaHidden = "true"; // The cells say it themselves.
    for (const type of ["pointerover", "focusin"]) this.#cells.addEventListener(type, (event) => this.#point(event));
    for (const type of ["pointerleave", "focusout"]) this.#cells.addEventListener(type, () => this.#point());
    this.#cells.addEventListener("keydown", (event) => this.#move(event));
    this.element.append(this.#count, this.#cells, this.#readout, this.#details);
  }

  /** @param {Parts | undefined} parts @param {boolean} isRunning Whether the step is. */
  show(parts, isRunning) {
    this.element.hidden = !parts;
    this.#parts = parts ?? null;
    this.#isRunning = isRunning;
    if (!parts) {
      this.#known = null;
      return;
    }
    if (this.#known) this.#reloadSoon();
    this.#draw();
  }

  #draw() {
    if (!this.#parts) return;
    const text = partsText(this.#parts, this.#isRunning, this.#language);
    setText(this.#count, text);
    this.#cells.ariaLabel = text;
    this.#showCells(this.#shownCells());
    this.#showList();
  }

  #shownCells() {
    return this.#parts ? cellsOf(this.#parts, this.#known ?? []) : [];
  }

  /** @param {Cell[]} cells */
  #showCells(cells) {
    this.#cells.toggleAttribute("data-many", cells.length > MANY);
    this.#removeAfter(cells.length);
    for (const [index, cell] of cells.entries()) {
      const item = /** @type {HTMLElement} */ (this.#cells.children[index] ?? this.#append(index));
      item.dataset.status = cell.status;
      fill(/** @type {HTMLElement} */ (item.firstElementChild), this.#nodes(cell));
    }
    this.#showReadout();
  }

  /** The tabulator and the focus go to the last cell that is left. @param {number} count */
  #removeAfter(count) {
    const cells = this.#allCells();
    const removed = cells.slice(count);
    const stop = removed.find(({ tabIndex }) => tabIndex === 0);
    const hadFocus = stop?.matches(":focus");
    for (const cell of removed) cell.remove();
    const target = cells[count - 1];
    if (!stop || !target) return;
    target.tabIndex = 0;
    if (hadFocus) target.focus();
  }

  #allCells() {
    return /** @type {HTMLElement[]} */ ([...this.#cells.children]);
  }

  /** @param {number} index */
  #append(index) {
    const item = make("li", "", make("span", "visually-hidden"));
    item.tabIndex = index ? -1 : 0;
    this.#cells.append(item);
    return item;
  }

  /** @param {Cell} cell */
  #nodes(cell) {
    const text = cellText(cell, this.#language);
    if (!cell.part) return [document.createTextNode(text)];
    return nodesOf(this.#language, "part", { part: cell.part.part, text });
  }

  // The text of one cell

  /** @param {Event} [event] */
  #point(event) {
    const { target = null } = event ?? {};
    this.#pointed = target instanceof Element ? target.closest(".cells > li") : null;
    this.#showReadout();
  }

  #showReadout() {
    const shown = this.#pointed?.isConnected ? [...(this.#pointed.firstElementChild?.childNodes ?? [])] : [];
    fill(
      this.#readout,
      shown.map((node) => node.cloneNode(true)),
    );
  }

  /** One cell is in the order of the tabulator; arrow keys move to the others. @param {KeyboardEvent} event */
  #move(event) {
    const cells = this.#allCells();
    const index = cells.indexOf(/** @type {HTMLElement} */ (event.target));
    const last = cells.length - 1;
    const targets = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last };
    const target = cells[targets[/** @type {keyof typeof targets} */ (event.key)] ?? -1];
    if (!target || index < 0) return;
    event.preventDefault();
    for (const cell of cells) cell.tabIndex = cell === target ? 0 : -1;
    target.focus();
  }

  // The list

  #showList() {
    if (!this.#parts || !this.#details.open) return;
    const named = this.#shownCells().filter(({ part }) => part);
    const reported = reportedParts(this.#parts);
    this.#all.hidden = this.#known !== null || named.length >= reported;
    setText(this.#all, this.#language.text("parts_all", { count: reported }));
    fill(
      this.#list,
      named.map((cell) => this.#listItem(cell)),
    );
  }

  /** @param {Cell} cell */
  #listItem(cell) {
    const item = make("li", "", ...this.#nodes(cell));
    item.dataset.status = cell.status;
    return item;
  }

  async #showAll() {
    const hadFocus = this.#all.matches(":focus");
    try {
      this.#known = await this.#load();
      this.#draw();
      if (hadFocus && this.#all.hidden) this.#list.focus();
    } catch {
      setText(this.#all, this.#language.text("request_unanswered"));
    }
  }

  #reloadSoon() {
    this.#reload ??= setTimeout(async () => {
      const known = await this.#load().catch(() => null);
      this.#reload = undefined;
      if (known && this.#known) this.#known = known;
      this.#draw();
    }, RELOAD_MS);
  }
}
