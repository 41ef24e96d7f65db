import { isolated, make, setText } from "./dom.js";
import { icon } from "./icons.js";
import { fitLinks } from "./links.js";
import { created_ms, isIdle, lookOf, nameOf, percentageAt, stepWords, timeText } from "./list-entry.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").ListedSession} ListedSession */

/** A row has room for so many, on a phone for one label; the others come on request. */
const LABELS_SHOWN = 2;
const LINKS_SHOWN = 2;

const ICONS = /** @type {const} */ ({
  pending: "pending",
  running: "running",
  idle: "pending",
  stalled: "stalled",
  completed: "success",
  failed: "error",
  cancelled: "cancelled",
  lost: "lost",
});

/**
 * @typedef {object} RowOptions
 * @property {Language} language
 * @property {(session: ListedSession) => string} hrefOf The address of a session's page.
 */

/** A session in a list. Its roles are explicit, since a style sheet lays out its row as a grid. */
export class ListRow {
  element = make("tr", "list-row");
  #language;
  #hrefOf;
  #word = make("span", "list-word");
  #state = cell("list-state");
  #name = make("th", "list-name");
  #link = make("a", "list-link");
  #id = make("span", "list-id");
  #error = make("p", "list-error");
  #chips = make("span", "list-chips");
  #fill = make("div", "list-fill");
  #bar = make("div", "list-bar", this.#fill);
  #percent = make("span", "list-percent");
  #step = make("span", "list-step");
  #started = make("time", "list-started");
  #time = make("span", "list-time");
  /** @type {ListedSession | null} */
  #session = null;
  /** @type {number | null | undefined} */
  #percentage;
  /** @type {boolean | undefined} */
  #isIdle;

  /** @param {RowOptions} options */
  constructor({ language, hrefOf }) {
    this.#language = language;
    this.#hrefOf = hrefOf;
    this.element.role = "row";
    this.#name.role = "rowheader";
    this.#name.scope = "row";
    this.#bar.role = "progressbar";
    this.#bar.ariaValueMin = "0";
    this.#bar.ariaValueMax = "100";
    this.element.addEventListener("pointerenter", () => this.#explain());
    this.#name.append(make("p", "list-title", this.#link, " ", this.#id, " ", this.#chips), this.#error);
    const facts = make("p", "list-facts", this.#percent, " ", this.#step);
    this.element.append(
      this.#state,
      this.#name,
      cell("list-progress", this.#bar, facts),
      cell("list-when", this.#started),
      cell("list-duration", this.#time),
    );
  }

  get session() {
    return this.#session;
  }

  /** @param {ListedSession} session @param {number} now_ms */
  show(session, now_ms) {
    const before = this.#session;
    this.#session = session;
    this.#showName(session, before);
    setText(this.#error, session.error ?? "");
    this.#error.hidden = !session.error;
    this.#started.dateTime = session.created_at;
    this.#showState(session, now_ms);
    this.tick(now_ms);
  }

  /** Shows what changes with time. @param {number} now_ms */
  tick(now_ms) {
    const session = this.#session;
    if (!session) return;
    if (isIdle(session, now_ms) !== this.#isIdle) this.#showState(session, now_ms);
    setText(this.#started, this.#language.moment(created_ms(session), now_ms));
    setText(this.#time, timeText(session, now_ms, this.#language));
    const percentage = percentageAt(session, now_ms);
    if (percentage === this.#percentage) return;
    this.#percentage = percentage;
    this.#bar.toggleAttribute("data-unmeasured", percentage === null);
    this.#fill.style.width = percentage === null ? "" : `${percentage}%`;
    this.#bar.ariaValueNow = percentage === null ? null : String(percentage);
    setText(this.#percent, percentage === null ? "" : `${percentage}%`);
  }

  /** @param {ListedSession} session @param {number} now_ms */
  #showState(session, now_ms) {
    this.#isIdle = isIdle(session, now_ms);
    setText(this.#step, stepWords(session, now_ms, this.#language));
    const look = lookOf(session);
    const drawn = this.#isIdle ? "idle" : look;
    if (this.element.dataset.look === drawn) return;
    this.element.dataset.look = drawn;
    setText(this.#word, this.#language.text(`list_${look}`));
    this.#state.replaceChildren(icon(ICONS[drawn]), this.#word);
  }

  /** Texts that are cut off are in a tooltip. A row with the focus shows them itself. */
  #explain() {
    const texts = [this.#link, this.#id, this.#error];
    const isCut = texts.some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth);
    if (!isCut) this.#link.removeAttribute("title");
    else this.#link.title = texts.flatMap(({ textContent }) => textContent || []).join("\n");
  }

  /** @param {ListedSession} session @param {ListedSession | null} before */
  #showName(session, before) {
    if (!before || nameOf(before) !== nameOf(session)) {
      this.#link.replaceChildren(isolated(nameOf(session)));
      this.#link.href = this.#hrefOf(session);
      this.#bar.ariaLabel = this.#language.text("progress_of", { name: nameOf(session) });
      this.#id.replaceChildren(...(session.title ? [isolated(session.session_id)] : []));
    }
    const said = JSON.stringify([session.labels, session.links]);
    if (before && said === JSON.stringify([before.labels, before.links])) return;
    this.#chips.replaceChildren(...this.#chipsOf(session), ...fitLinks(session).slice(0, LINKS_SHOWN).map(linkTo));
    this.#chips.hidden = !this.#chips.childElementCount;
  }

  /** @param {ListedSession} session */
  #chipsOf({ labels = {} }) {
    const chips = Object.entries(labels).map(([key, value]) => this.#chip(key, value));
    const [first, ...others] = chips;
    if (!first || !others.length) return chips;
    const beyond = others.length - LABELS_SHOWN + 1;
    const counts = [make("span", "narrow", `+${others.length}`), make("span", "wide", beyond > 0 ? `+${beyond}` : "")];
    const more = make("button", "chip list-more-labels", ...counts);
    more.type = "button";
    more.title = this.#language.joined(others.map(({ textContent }) => textContent ?? ""));
    more.addEventListener("click", () => {
      this.element.toggleAttribute("data-open", true);
      first.focus();
    });
    return [...chips, more];
  }

  /** @param {string} key @param {string} value */
  #chip(key, value) {
    const pair = this.#language.text("list_pair", { key, value });
    const chip = make("button", "chip", isolated(pair));
    chip.type = "button";
    chip.title = this.#language.text("list_filter_by", { label: pair });
    chip.dataset.key = key;
    chip.dataset.value = value;
    return chip;
  }
}

/** @param {string} name @param {Node[]} children */
function cell(name, ...children) {
  const made = make("td", name, ...children);
  made.role = "cell";
  return made;
}

/** @param {{label: string, url: string}} link */
function linkTo({ label, url }) {
  const made = make("a", "list-result", isolated(label || url));
  made.href = url;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}
