/*
 * A list of sessions that stays up to date, on the home page or in the shadow root of <progress-list>: it shows those that
 * match what the visitor wants to see.
 */
import { Announcer } from "./announcer.js";
import { ConnectionBadge } from "./connection-badge.js";
import { make, makeButton, setText } from "./dom.js";
import { ListChips } from "./list-chips.js";
import { attentionFirst, isAmong, matchesBesideStatus, NO_FILTER } from "./list-filter.js";
import { ListHold } from "./list-hold.js";
import { ListNews } from "./list-news.js";
import { ListSource } from "./list-source.js";
import { ListTable } from "./list-table.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./list-filter.js").Filter} Filter */
/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {import("./wire.js").SessionList} SessionList */
/** @typedef {import("./wire.js").TrackerState} TrackerState */

/** Changes that come faster are shown together. */
const PACE_MS = 100;
/** A list of more sessions is not shown; the server's answers have no more either. */
const MAX_LISTED = 1000;
/** As the tracker polls by itself. */
const INTERVAL_MS = 3000;

/**
 * @typedef {object} Counted
 * @property {readonly ListedSession[]} matching What matches the visitor's filter, whatever its status.
 * @property {Filter["statuses"]} asked The only statuses that are in the list; none: all.
 */

/**
 * @typedef {object} ListOptions
 * @property {Language} language
 * @property {Partial<Filter>} [fixed] What all sessions have in common, whatever the visitor chooses.
 * @property {Filter} [filter] What the visitor wants to see at first.
 * @property {import("./list-row.js").RowOptions["hrefOf"]} hrefOf
 * @property {HTMLElement} root Gets the state of the connection as `data-connection`, for the style sheet.
 * @property {HTMLElement} region A polite live region.
 * @property {Node} [empty] Shown while there are no sessions at all.
 * @property {import("./wire.js").ListTrackerOptions} [tracker]
 * @property {(filter: Filter) => void} [onfilter] The visitor has chosen another filter.
 * @property {(list: SessionList, counted: Counted) => void} [onlist]
 * @property {(state: TrackerState) => void} [onstatechange]
 */

export class LiveList {
  element = make("section", "list");
  badge;
  #options;
  #language;
  #filter;
  #source;
  #news;
  #announcer;
  #table;
  #chips;
  #empty = make("div", "list-empty");
  #note = make("span", "list-note");
  #more;
  #foot = make("p", "list-foot");
  /** @type {SessionList | null} */
  #list = null;
  /** In the order of the rows. @type {readonly ListedSession[]} */
  #shown = [];
  /** The rows stay where they are while a visitor points at one. */
  #hold;
  /** Set while a change was shown a moment ago. @type {ReturnType<typeof setTimeout> | undefined} */
  #pause;
  #isChanged = false;
  /** Another list was asked for: its rows take the place of those that were there. */
  #isAnother = false;
  /** Aborted when it stops. */
  #running = new AbortController();

  /** @param {ListOptions} options */
  constructor(options) {
    const { language, root, region, hrefOf } = options;
    this.#options = options;
    this.#language = language;
    this.#filter = options.filter ?? NO_FILTER;
    this.#source = new ListSource({
      fixed: { ...NO_FILTER, ...options.fixed },
      tracker: options.tracker,
      onList: (list) => this.#receive(list),
      onState: (state) => this.#onState(state),
    });
    this.#news = new ListNews(language);
    this.#announcer = new Announcer(this.#heard(region));
    this.badge = new ConnectionBadge(language, root);
    this.#table = new ListTable({ language, hrefOf }, () => this.#source.now());
    this.#hold = new ListHold(this.#table.body, () => this.#show());
    this.#chips = new ListChips(language, (filter) => this.choose(filter));
    this.#more = makeButton("more", language.text("list_more"));
    this.#more.addEventListener("click", () => this.#source.showMore());
    this.#foot.append(this.#note, " ", this.#more);
    for (const part of [this.#table.element, this.#foot]) part.hidden = true;
    this.#empty.append(language.text("connecting"));
    this.element.append(this.#chips.element, this.#table.element, this.#empty, this.#foot);
    this.element.addEventListener("click", (event) => this.#onClick(event));
    this.#chips.show(this.#filter);
  }

  get filter() {
    return this.#filter;
  }

  /** Another filter from now on, as an address has it. */
  set filter(filter) {
    this.#filter = filter;
    this.#chips.show(filter);
    this.#hold.release();
    if (this.#source.isFollowing) this.#source.follow(filter);
    this.#show();
  }

  start() {
    this.#running = new AbortController();
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#showConnection(this.#source.state), { signal: this.#running.signal });
    }
    this.#table.start();
    this.#source.follow(this.#filter);
  }

  stop() {
    this.#running.abort();
    this.#source.stop();
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#table.stop();
    this.#hold.release();
    this.badge.stop();
    this.#announcer.stop();
  }

  /** @param {1 | -1} by */
  moveFocus(by) {
    this.#table.moveFocus(by);
  }

  /** @param {Filter} filter Chosen by the visitor. */
  choose(filter) {
    this.filter = filter;
    this.#options.onfilter?.(filter);
  }

  /** @param {TrackerState} state */
  #onState(state) {
    if (state === "connecting") this.#forget();
    this.#showConnection(state);
    if (state === "denied") this.#showDenied();
    this.#options.onstatechange?.(state);
  }

  /** @param {TrackerState} state */
  #showConnection(state) {
    this.badge.update(state, this.#options.tracker?.interval ?? INTERVAL_MS);
  }

  /** Nothing of another list is news. */
  #forget() {
    this.#news.forget();
    this.#isChanged = false;
    this.#isAnother = true;
  }

  /** @param {SessionList} list */
  #receive(list) {
    if (this.#isAnother) this.#hold.release();
    this.#isAnother = false;
    this.#list = list;
    this.#isChanged = true;
    if (this.#pause === undefined) this.#showChange();
  }

  #showChange() {
    this.#pause = undefined;
    if (!this.#isChanged || !this.#list) return;
    this.#isChanged = false;
    this.#pause = setTimeout(() => this.#showChange(), PACE_MS);
    this.#news.add(this.#list.sessions);
    if (this.#news.text) this.#announcer.say(this.#news.text);
    this.#show();
  }

  #show() {
    const list = this.#list;
    if (!list) return;
    const matching = list.sessions.filter((session) => matchesBesideStatus(session, this.#filter));
    this.#showRows(list, matching);
    const isEmpty = !this.#shown.length;
    if (this.#source.isWaiting) {
      // How many there are, and whether there are any, the other list will show.
      if (isEmpty) this.#empty.replaceChildren(this.#language.text("connecting"));
      return;
    }
    if (isEmpty) this.#showEmpty(list.sessions.length > 0 || this.#isFiltered);
    this.#showFoot(list);
    this.#options.onlist?.(list, { matching, asked: this.#source.asked });
  }

  /** @param {SessionList} list @param {readonly ListedSession[]} matching */
  #showRows({ sessions }, matching) {
    const { statuses } = this.#filter;
    if (this.#hold.isOn) {
      const newest = new Map(sessions.map((session) => [session.session_id, session]));
      this.#shown = this.#shown.map((session) => newest.get(session.session_id) ?? session);
    } else {
      const chosen = matching.filter((session) => isAmong(session, statuses));
      this.#shown = statuses.length ? chosen : attentionFirst(chosen);
    }
    this.#table.element.ariaLabel = this.#language.text(statuses.length ? "list_title" : "list_order");
    this.#table.show(this.#shown);
    this.#table.element.hidden = !this.#shown.length;
    this.#empty.hidden = this.#shown.length > 0;
  }

  get #isFiltered() {
    return JSON.stringify(this.#filter) !== JSON.stringify(NO_FILTER);
  }

  /** @param {boolean} isFiltered */
  #showEmpty(isFiltered) {
    const { empty = this.#language.text("list_none") } = this.#options;
    if (!isFiltered) {
      if (this.#empty.lastChild !== empty) this.#empty.replaceChildren(empty);
      return;
    }
    if (this.#empty.querySelector(".list-clear")) return;
    this.#empty.replaceChildren(make("p", "", this.#language.text("list_no_match")), this.#clearButton());
  }

  #clearButton() {
    const clear = makeButton("list-clear", this.#language.text("list_clear"));
    clear.addEventListener("click", () => this.choose(NO_FILTER));
    return clear;
  }

  #showDenied() {
    for (const part of [this.#table.element, this.#foot]) part.hidden = true;
    this.#empty.hidden = false;
    const denied = make("p", "", this.#language.text("list_denied"));
    this.#empty.replaceChildren(denied, ...(this.#isFiltered ? [this.#clearButton()] : []));
  }

  /** @param {SessionList} list */
  #showFoot({ sessions, more }) {
    this.#foot.hidden = !more;
    const { length: count } = sessions;
    setText(this.#note, this.#language.text("list_only_newest", { count }));
    this.#more.hidden = count >= MAX_LISTED;
  }

  // What the visitor has chosen

  /** @param {Event} event */
  #onClick({ target }) {
    const chip = target instanceof Element ? target.closest("button[data-key]") : null;
    if (!(chip instanceof HTMLElement)) return;
    const { key = "", value = "" } = chip.dataset;
    this.choose({ ...this.#filter, labels: { ...this.#filter.labels, [key]: value } });
  }

  /** The live region, which says all news since the last time. @param {HTMLElement} region */
  #heard(region) {
    const news = this.#news;
    return {
      get textContent() {
        return region.textContent;
      },
      set textContent(text) {
        region.textContent = text;
        news.clear();
      },
    };
  }
}
