import { element, make, makeButton, setText } from "../lib/dom.js";
import { filterOf, STATUSES, searchOf } from "../lib/list-filter.js";
import { LiveList } from "../lib/live-list.js";
import { pageOf } from "./session-page.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("../lib/list-filter.js").Filter} Filter */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */

/** The list of the home page, with its tools. The address has the filter, so that it can be shared and gone back to. */
export class JobList {
  #language;
  #prefixes;
  #on;
  #list;
  #search = /** @type {HTMLInputElement} */ (element("search"));
  #prefix = /** @type {HTMLSelectElement} */ (element("prefix"));
  #searchIds = element("search-ids");
  /** The buttons of the states, with their counts. @type {Map<Filter["status"], {button: HTMLElement, count: HTMLElement}>} */
  #states = new Map();
  #isEmpty = false;

  /**
   * @param {Language} language
   * @param {readonly string[]} prefixes Of the sessions that the visitor may list.
   * @param {{onEmpty: () => void, onListed: () => void, onDenied: () => void}} on
   */
  constructor(language, prefixes, on) {
    this.#language = language;
    this.#prefixes = prefixes;
    this.#on = on;
    this.#list = new LiveList({
      language,
      fixed: { prefix: prefixes[0] ?? "" },
      filter: filterOf(location.search),
      hrefOf: ({ session_id }) => pageOf(session_id),
      root: element("home"),
      region: element("milestone"),
      onfilter: (filter) => this.#remember(filter),
      onlist: (list, counts) => this.#showCounts(list, counts),
      onstatechange: (state) => this.#onState(state),
    });
    this.#makeStates();
    this.#makePrefixes();
    this.#search.placeholder = language.text("list_search_hint");
    this.#search.addEventListener("input", () => this.#choose({ text: this.#search.value.trim() }));
    element("list-tools").addEventListener("submit", (event) => event.preventDefault());
    this.#searchIds.addEventListener("click", () => this.#choose({ prefix: this.#list.filter.text, text: "" }));
    addEventListener("popstate", () => this.#comeBack());
  }

  start() {
    element("count").after(this.#list.badge.element);
    element("list").append(this.#list.element);
    this.#showTools();
    this.#list.start();
  }

  search() {
    this.#search.focus();
  }

  /** @param {1 | -1} by */
  moveFocus(by) {
    this.#list.moveFocus(by);
  }

  /** @param {import("../lib/wire.js").TrackerState} state */
  #onState(state) {
    if (state === "live" || state === "polling") this.#on.onListed();
    if (state !== "denied") return;
    element("list-tools").hidden = true;
    this.#on.onDenied();
  }

  #makeStates() {
    const group = element("states");
    for (const status of /** @type {Filter["status"][]} */ (["", ...STATUSES])) {
      const count = make("span", "home-count");
      const button = makeButton("", this.#language.text(status ? `list_${status}` : "list_all"));
      button.append(count);
      button.addEventListener("click", () => this.#choose({ status }));
      this.#states.set(status, { button, count });
      group.append(button);
    }
  }

  #makePrefixes() {
    element("prefixes").hidden = this.#prefixes.length < 2;
    for (const prefix of this.#prefixes) this.#prefix.append(new Option(prefix, prefix));
    this.#prefix.addEventListener("change", () => this.#choose({ prefix: this.#prefix.value }));
  }

  /** @param {Partial<Filter>} change */
  #choose(change) {
    this.#list.choose({ ...this.#list.filter, ...change });
  }

  /** What was chosen is a step back in the browser's history; what is being typed is none. @param {Filter} filter */
  #remember(filter) {
    const isTyping = filter.text !== filterOf(location.search).text && filter.text !== "";
    history[isTyping ? "replaceState" : "pushState"](null, "", location.pathname + searchOf(filter));
    this.#showTools();
  }

  #comeBack() {
    this.#list.filter = filterOf(location.search);
    this.#showTools();
  }

  #showTools() {
    const { status, text, prefix } = this.#list.filter;
    for (const [each, { button }] of this.#states) button.ariaPressed = String(each === status);
    if (this.#search.value.trim() !== text) this.#search.value = text;
    const own = this.#prefixes.find((each) => each && prefix.startsWith(each)) ?? this.#prefixes[0];
    if (own !== undefined) this.#prefix.value = own;
  }

  /** @param {SessionList} list @param {Record<"all" | Exclude<Filter["status"], "">, number>} counts */
  #showCounts({ sessions, more }, counts) {
    const { status: chosen, text, prefix } = this.#list.filter;
    const isPartial = more && sessions.every(({ status }) => status === chosen);
    for (const [status, { count }] of this.#states) {
      const number = `${this.#language.number(counts[status || "all"])}${more ? "+" : ""}`;
      setText(count, isPartial && status !== chosen ? "" : number);
    }
    const shown = chosen ? counts[chosen] : counts.all;
    const { length: listed } = sessions;
    const key = this.#language.plural("listed", shown);
    setText(
      element("count"),
      more ? this.#language.text("listed_first", { count: listed }) : this.#language.text(key, { count: shown }),
    );
    const running = counts.running ? `(${counts.running}) ` : "";
    document.title = `${running}${this.#language.text("list_title")}`;
    this.#offerIds(more && text !== "" && text.startsWith(this.#prefixes[0] ?? "") && text !== prefix ? text : "");
    const isEmpty = !listed && !more && !searchOf(this.#list.filter);
    element("list-tools").hidden = isEmpty;
    if (isEmpty && !this.#isEmpty) this.#on.onEmpty();
    this.#isEmpty = isEmpty;
  }

  /** Titles and labels are searched in the sessions that are shown. The server finds others by their ids. @param {string} text */
  #offerIds(text) {
    this.#searchIds.hidden = !text;
    if (text)
      setText(this.#searchIds.firstElementChild ?? this.#searchIds, this.#language.text("list_search_ids", { text }));
  }
}
