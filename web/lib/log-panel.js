import { copyButton, isolated, make, makeButton, setText } from "./dom.js";
import { fileOf, matchesIn } from "./log-lines.js";
import { rowsOf } from "./log-rows.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./log-lines.js").Entry} Entry */
/**
 * @typedef {object} PanelOptions
 * @property {string} file The name of the file that a download gets.
 * @property {(text: string) => void} announce
 * @property {(panel: LogPanel) => void} onToggle It was opened or closed.
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
  #expand;
  #rows = make("div", "log-rows");
  /** All but the summary. It moves into the window, and back. */
  #body;
  #title = make("p", "log-title");
  #window = make("dialog", "log-window", this.#title);
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
  #errorsFrom_ms = NaN;
  /** The row of the first error. @type {Element | null} */
  #marked = null;
  /** Where the panel stands since it showed an error. */
  #errorTop = NaN;
  /** The first error is to be shown once it comes: it may come after its step has failed. */
  #isSeeking = false;
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
    this.#expand = makeButton("log-expand", language.text("log_expand"));
    this.#rows.tabIndex = 0; // It scrolls.
    this.#rows.setAttribute("role", "group");
    const summary = make("summary", "log-summary", title, this.#count);
    this.#body = make("div", "log-body", this.#tools(), this.#empty, this.#rows, this.#end);
    this.element = make("details", "log", summary, this.#body, this.#window);
    this.label = label;
    this.element.addEventListener("toggle", () => this.#onToggle());
    this.#rows.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#end.addEventListener("click", () => this.#follow());
    this.#expand.addEventListener("click", () => this.#toggleWindow());
    this.#window.addEventListener("cancel", () => this.#moveTo(this.element));
    this.#window.addEventListener("close", () => this.#onShrunk());
    new ResizeObserver(() => this.#onResize()).observe(this.#rows);
  }

  get isOpen() {
    return this.element.open;
  }

  set isOpen(value) {
    this.element.open = value;
  }

  /** @param {boolean} value */
  set isShown(value) {
    this.element.hidden = !value;
    if (!value) this.#window.close();
  }

  /** When the attempt began whose errors are marked; NaN: it has not failed. @param {number} value */
  set errorsFrom_ms(value) {
    if (Object.is(value, this.#errorsFrom_ms)) return;
    this.#errorsFrom_ms = value;
    if (this.isOpen) this.#markError();
  }

  get label() {
    return this.#label;
  }

  /** Its name, for screen readers. */
  set label(label) {
    if (label === this.#label) return;
    this.#label = label;
    for (const part of [this.#rows, this.#window]) part.ariaLabel = label;
    this.#title.replaceChildren(isolated(label));
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

  /** Opens the panel at the first error, unless the visitor reads something else there. */
  reveal() {
    this.#isSeeking = true;
    if (this.isOpen) this.#draw();
    else this.isOpen = true;
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
    return make("div", "log-tools", this.#expand, this.#search, this.#found, copy, download);
  }

  #onToggle() {
    if (this.isOpen) {
      this.#isSeeking = true;
      this.#follow();
      this.#draw();
    } else {
      this.#clear();
    }
    this.#options.onToggle(this);
  }

  // The rows

  #clear() {
    this.#rows.replaceChildren();
    this.#marked = null;
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
    this.#markError();
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

  // The first error of an attempt that has failed

  #markError() {
    const from_ms = this.#errorsFrom_ms;
    const isError = (/** @type {Entry} */ { level, at_ms }) => level === "error" && at_ms >= from_ms;
    const first = Number.isNaN(from_ms) ? undefined : this.#entries.find(isError);
    const row = first ? this.#rows.querySelector(`.log-line[data-n="${first.n}"]`) : null;
    if (this.#marked && this.#marked !== row) this.#marked.ariaCurrent = null;
    if (row) row.ariaCurrent = "true";
    this.#marked = row;
    if (row && this.#isSeeking) this.#scrollToError(row);
  }

  /** @param {Element} row */
  #scrollToError(row) {
    this.#isSeeking = false;
    if (!this.#isFollowing && this.#rows.scrollTop !== this.#errorTop) return;
    this.#isFollowing = false;
    const above = this.#rows.clientHeight / 3;
    this.#rows.scrollTop += row.getBoundingClientRect().top - this.#rows.getBoundingClientRect().top - above;
    this.#errorTop = this.#rows.scrollTop;
    this.#onScroll();
  }

  // The window

  #toggleWindow() {
    if (this.#window.open) {
      this.#moveTo(this.element);
      this.#window.close();
      return;
    }
    setText(this.#expand, this.#language.text("close"));
    this.#moveTo(this.#window);
    this.#rows.focus();
  }

  /** By Escape, by the button, or since the step has no log any more. */
  #onShrunk() {
    if (this.#window.contains(this.#body)) this.#moveTo(this.element);
    setText(this.#expand, this.#language.text("log_expand"));
    this.#expand.focus();
  }

  /** The rows stay where they were scrolled to. @param {HTMLElement} place */
  #moveTo(place) {
    const { scrollTop } = this.#rows;
    place.append(this.#body);
    if (place === this.#window) this.#window.showModal();
    if (this.#isFollowing) this.#scrollToEnd();
    else this.#rows.scrollTop = scrollTop;
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
