import { copyButton, make, makeButton, setText } from "./dom.js";
import { fileOf, matchesIn } from "./log-lines.js";
import { rowsOf } from "./log-rows.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./log-lines.js").Entry} Entry */
/**
 * @typedef {object} PanelOptions
 * @property {string} file The name of the file that a download gets.
 * @property {(text: string) => void} announce
 * @property {() => void} onToggle It was opened or closed.
 */

/** So near to the end the panel follows what comes. */
const NEAR_PX = 16;
/** Lines are searched once the visitor has written for so long. */
const SEARCH_MS = 150;
/** A browser may read what it downloads some time after the click. */
const DOWNLOAD_MS = 60_000;

/** The lines of a step, or of the session, folded under a summary. Rows are made while it is open. */
export class LogPanel {
  element;
  #language;
  #options;
  #count = make("span", "log-count");
  #search = make("input", "log-search");
  #found = make("span", "log-found");
  #end;
  #rows = make("div", "log-rows");
  #label = "";
  #empty = make("p", "log-empty");
  /** @type {readonly Entry[]} */
  #entries = [];
  /** The entries that have rows, or were searched in vain. @type {readonly Entry[]} */
  #drawn = [];
  #words = "";
  #matches = 0;
  #isFollowing = true;
  #scrolledTo = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #searching;

  /**
   * @param {Language} language
   * @param {string} label Its name.
   * @param {string} title What its summary shows of that.
   * @param {PanelOptions} options
   */
  constructor(language, label, title, options) {
    this.#language = language;
    this.#options = options;
    this.#end = makeButton("log-end", language.text("log_follow"));
    this.#rows.tabIndex = 0; // It scrolls.
    this.#rows.setAttribute("role", "group");
    const summary = make("summary", "log-summary", title, this.#count);
    this.element = make("details", "log", summary, this.#tools(), this.#empty, this.#rows, this.#end);
    this.label = label;
    this.element.addEventListener("toggle", () => this.#onToggle());
    this.#rows.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#end.addEventListener("click", () => this.#follow());
    new ResizeObserver(() => this.#onResize()).observe(this.#rows);
  }

  get isOpen() {
    return this.element.open;
  }

  set isOpen(value) {
    this.element.open = value;
  }

  get label() {
    return this.#label;
  }

  /** Its name, for screen readers. */
  set label(label) {
    if (label === this.#label) return;
    this.#label = label;
    this.#rows.ariaLabel = label;
    this.#search.ariaLabel = `${this.#language.texts.log_search}: ${label}`;
  }

  /** @param {readonly Entry[]} entries @param {string} note What to say where there are none. */
  show(entries, note) {
    this.#entries = entries;
    setText(this.#count, entries.length ? ` ${this.#language.number(entries.length)}` : "");
    setText(this.#empty, note);
    this.#empty.hidden = entries.length > 0 || !note;
    if (this.isOpen) this.#draw();
  }

  #tools() {
    const { texts } = this.#language;
    this.#search.type = "search";
    this.#search.placeholder = texts.log_search;
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#searching);
      this.#searching = setTimeout(() => this.#find(), SEARCH_MS);
    });
    this.#found.setAttribute("role", "status");
    const copy = copyButton(texts, () => this.#text(), this.#options.announce);
    const download = makeButton("log-download", texts.log_download);
    download.addEventListener("click", () => this.#download());
    return make("div", "log-tools", this.#search, this.#found, copy, download);
  }

  #onToggle() {
    if (this.isOpen) {
      this.#draw();
      this.#follow();
    } else {
      this.#clear();
    }
    this.#options.onToggle();
  }

  // The rows

  #clear() {
    this.#rows.replaceChildren();
    this.#drawn = [];
    this.#matches = 0;
  }

  #draw() {
    const last = this.#drawn.at(-1);
    const known = last ? this.#entries.lastIndexOf(last) + 1 : 0;
    // In another log, or after a search, no row stays.
    if (known === 0) this.#clear();
    this.#dropBefore(this.#entries[0]?.n ?? 0);
    this.#append(this.#entries.slice(known));
    this.#drawn = this.#entries;
    this.#rows.hidden = this.#entries.length === 0;
    this.#showFound();
    if (this.#isFollowing) this.#scrollToEnd();
  }

  /** @param {number} n The oldest lines have gone. */
  #dropBefore(n) {
    let row = /** @type {HTMLElement | null} */ (this.#rows.firstElementChild);
    while (row && Number(row.dataset.n) < n) {
      if (row.classList.contains("log-line")) this.#matches--;
      row.remove();
      row = /** @type {HTMLElement | null} */ (this.#rows.firstElementChild);
    }
  }

  /** @param {readonly Entry[]} entries */
  #append(entries) {
    const shown = this.#words ? entries.filter(({ plain }) => matchesIn(plain, this.#words).length) : entries;
    this.#matches += shown.length;
    this.#rows.append(...shown.flatMap((entry) => rowsOf(entry, this.#language, this.#words)));
  }

  // Following

  #onScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.#rows;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR_PX;
    // Rows that come below do not mean that the visitor has gone up.
    if (isAtEnd || scrollTop < this.#scrolledTo) this.#isFollowing = isAtEnd;
    this.#scrolledTo = scrollTop;
    this.#end.hidden = this.#isFollowing;
  }

  /** Less room, as on a phone that is turned, must not hide the newest lines. */
  #onResize() {
    if (this.#isFollowing) this.#scrollToEnd();
  }

  #follow() {
    const hadFocus = this.#end.matches(":focus");
    this.#isFollowing = true;
    this.#end.hidden = true;
    this.#scrollToEnd();
    if (hadFocus) this.#rows.focus();
  }

  #scrollToEnd() {
    this.#rows.scrollTop = this.#rows.scrollHeight;
  }

  // Searching

  #find() {
    this.#words = this.#search.value.trim();
    this.#clear();
    this.#draw();
  }

  #showFound() {
    const count = this.#matches;
    setText(this.#found, this.#words ? this.#language.text(this.#language.plural("log_found", count), { count }) : "");
  }

  // Taking it away

  #text() {
    return fileOf(this.#entries);
  }

  #download() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([this.#text()], { type: "text/plain;charset=utf-8" }));
    link.download = this.#options.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
  }
}
