import { element, make, makeButton, setText } from "../lib/dom.js";
import { filterOf, GROUPS, groupOf, isAmong, searchOf } from "../lib/list-filter.js";
import { LiveList } from "../lib/live-list.js";
import { pageOf } from "./session-page.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("../lib/list-filter.js").Filter} Filter */
/** @typedef {import("../lib/list-filter.js").Group} Group */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */

/** Tabs keep their width, which has room for four characters. */
const MAX_COUNT = 999;
/** What the server takes as the id of a session. */
const SESSION_ID = /^(?!\.\.?$)[^/\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u;

/** The list of the home page, with its tools. The address has the filter, so that it can be shared and gone back to. */
export class JobList {
  #language;
  #prefixes;
  #on;
  #list;
  #search = /** @type {HTMLInputElement} */ (element("search"));
  #prefix = /** @type {HTMLSelectElement} */ (element("prefix"));
  /** What was searched, and the ways to what is beyond. */
  #beyond = element("search-beyond");
  #searchIds = makeButton("", "");
  #openJob = make("a", "");
  /** The id in the field, if Enter opens its page. */
  #exactId = "";
  /** The buttons of the states, with their counts. @type {Map<Group, {button: HTMLElement, count: HTMLElement}>} */
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
      onlist: (list, counted) => this.#showCounts(list, counted),
      onstatechange: (state) => this.#onState(state),
    });
    this.#makeStates();
    this.#makePrefixes();
    this.#search.placeholder = language.text("list_search_hint");
    this.#search.addEventListener("input", () => this.#choose({ text: this.#search.value.trim() }));
    this.#beyond.append(this.#searchIds, this.#openJob);
    element("list-tools").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#exactId === this.#list.filter.text && this.#exactId) location.assign(pageOf(this.#exactId));
    });
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
    for (const name of /** @type {Group[]} */ (Object.keys(GROUPS))) {
      const count = make("span", "home-count");
      const button = makeButton("", this.#language.text(name));
      button.dataset.group = name;
      button.append(" ", count);
      button.addEventListener("click", () => this.#choose({ statuses: GROUPS[name] }));
      this.#states.set(name, { button, count });
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
    const { statuses, text, prefix } = this.#list.filter;
    const chosen = groupOf(statuses);
    for (const [name, { button }] of this.#states) button.ariaPressed = String(name === chosen);
    if (this.#search.value.trim() !== text) this.#search.value = text;
    const own = this.#prefixes.find((each) => each && prefix.startsWith(each)) ?? this.#prefixes[0];
    if (own !== undefined) this.#prefix.value = own;
  }

  /** @param {SessionList} list @param {import("../lib/live-list.js").Counted} counted */
  #showCounts({ sessions, more }, { matching, asked }) {
    const { statuses } = this.#list.filter;
    /** How many the list has of these statuses; null where it has only others. @param {Filter["statuses"]} wanted */
    const numberOf = (wanted) => {
      const isCounted = !asked.length || (wanted.length > 0 && wanted.every((status) => asked.includes(status)));
      return isCounted ? matching.filter((session) => isAmong(session, wanted)).length : null;
    };
    for (const [name, { button, count }] of this.#states) {
      const number = numberOf(GROUPS[name]);
      setText(count, number === null ? "" : countText(number, more));
      button.toggleAttribute("data-some", Boolean(number));
    }
    const [shown, { length: listed }] = [numberOf(statuses) ?? 0, sessions];
    const key = this.#language.plural("listed", shown);
    setText(
      element("count"),
      more ? this.#language.text("listed_first", { count: listed }) : this.#language.text(key, { count: shown }),
    );
    const running = numberOf(GROUPS.list_running);
    document.title = `${running ? `(${running}) ` : ""}${this.#language.text("list_title")}`;
    this.#showBeyond({ sessions, more }, shown);
    const isEmpty = !listed && !more && !searchOf(this.#list.filter);
    element("list-tools").hidden = isEmpty;
    if (isEmpty && !this.#isEmpty) this.#on.onEmpty();
    this.#isEmpty = isEmpty;
  }

  /**
   * Titles and labels are searched in the sessions that are listed. The server finds others by their ids, and the page of
   * an id opens also where no row has it.
   * @param {SessionList} list
   * @param {number} shown
   */
  #showBeyond({ sessions, more }, shown) {
    const { text, prefix } = this.#list.filter;
    const isListed = sessions.some(({ session_id }) => session_id === text);
    this.#beyond.hidden = !text || (!more && shown > 0);
    const searched = this.#language.text("list_searched", { count: sessions.length });
    setText(element("searched"), text && more ? searched : ""); // A description, even while it is hidden.
    this.#searchIds.hidden = !more || !text.startsWith(this.#prefixes[0] ?? "") || text === prefix;
    setText(this.#searchIds, this.#language.text("list_search_ids", { text }));
    this.#openJob.hidden = isListed || !SESSION_ID.test(text);
    setText(this.#openJob, this.#language.text("list_open", { text }));
    this.#openJob.href = pageOf(text);
    this.#exactId = isListed || (!shown && !this.#openJob.hidden) ? text : "";
  }
}

/** Where there are more sessions, each number is the least, and there may be some where none is listed. @param {number} number @param {boolean} more */
function countText(number, more) {
  if (!number && more) return "";
  return number > MAX_COUNT ? `${MAX_COUNT}+` : `${number}${more ? "+" : ""}`;
}
