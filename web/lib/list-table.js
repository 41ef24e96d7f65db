import { focusedIn, make } from "./dom.js";
import { isTicking } from "./list-entry.js";
import { ListRow } from "./list-row.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./wire.js").ListedSession} ListedSession */

/** Of each frame; the rest of its 16 ms is the browser's, and the visitor's. */
const BUDGET_MS = 6;
const TICK_MS = 1000;
/** In a page that stays open, the time of each start gets a day. */
const DAYS_EVERY_TICKS = 60;

/** @type {readonly TextKey[]} */
const COLUMNS = [
  "list_column_state",
  "list_column_name",
  "list_column_progress",
  "list_column_created",
  "list_column_time",
];
const CLASSES = ["list-state", "list-name", "list-progress", "list-when", "list-duration"];

/**
 * The table of a list. It writes to the document once a frame, and never for long: where there is much to change, the
 * upper rows change first, and the others in the frames that follow.
 */
export class ListTable {
  element = make("table", "list-table");
  body = make("tbody");
  #options;
  #now_ms;
  /** @type {Map<string, ListRow>} */
  #rows = new Map();
  /** @type {readonly ListedSession[]} */
  #sessions = [];
  /** Rows that show a time that has passed. @type {Set<ListRow>} */
  #late = new Set();
  #frame = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticker;
  #ticks = 0;

  /**
   * @param {import("./list-row.js").RowOptions} options
   * @param {() => number} now_ms The server's time.
   */
  constructor(options, now_ms) {
    this.#options = options;
    this.#now_ms = now_ms;
    const { language } = options;
    this.element.role = "table";
    this.body.role = "rowgroup";
    this.element.append(tableHead(language), this.body);
    this.element.addEventListener("keydown", (event) => this.#move(event));
  }

  start() {
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** @param {readonly ListedSession[]} sessions */
  show(sessions) {
    this.#sessions = sessions;
    this.#drawSoon();
  }

  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #tick() {
    this.#ticks += 1;
    const areAllLate = this.#ticks % DAYS_EVERY_TICKS === 0;
    for (const row of this.#rows.values()) {
      if (areAllLate || (row.session && isTicking(row.session))) this.#late.add(row);
    }
    if (this.#late.size) this.#drawSoon();
  }

  /** Moves the focus to the next session, or the previous one; to the first, if it is nowhere in the list. @param {1 | -1} by */
  moveFocus(by) {
    const row = focusedIn(this.body)?.closest("tr");
    const place = row && (by > 0 ? row.nextElementSibling : row.previousElementSibling);
    linkIn(row ? place : this.body.firstElementChild)?.focus();
  }

  #draw() {
    const end_ms = performance.now() + BUDGET_MS;
    const focused = /** @type {HTMLElement | null} */ (focusedIn(this.body));
    const isDone = this.#drawRows(end_ms) && this.#drawTimes(end_ms);
    // A row that has moved has lost it.
    if (focused?.isConnected && !focusedIn(this.body)) focused.focus({ preventScroll: true });
    if (!isDone) this.#drawSoon();
  }

  /** @param {number} end_ms @returns {boolean} Whether it was done in time. */
  #drawRows(end_ms) {
    const wanted = new Set(this.#sessions.map(({ session_id }) => session_id));
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      this.#keepFocus(row);
      row.element.remove();
      this.#rows.delete(id);
      this.#late.delete(row);
      if (performance.now() > end_ms) return false;
    }
    /** @type {ChildNode | null} */
    let place = this.body.firstChild;
    for (const session of this.#sessions) {
      const row = this.#rowOf(session);
      if (row.element === place) place = place.nextSibling;
      else this.body.insertBefore(row.element, place);
      if (performance.now() > end_ms) return false;
    }
    return true;
  }

  /** @param {ListedSession} session */
  #rowOf(session) {
    const known = this.#rows.get(session.session_id);
    if (known?.session === session) return known;
    const row = known ?? new ListRow(this.#options);
    this.#rows.set(session.session_id, row);
    row.show(session, this.#now_ms());
    return row;
  }

  /** @param {number} end_ms */
  #drawTimes(end_ms) {
    const now_ms = this.#now_ms();
    for (const row of this.#late) {
      row.tick(now_ms);
      this.#late.delete(row);
      if (performance.now() > end_ms) return this.#late.size === 0;
    }
    return true;
  }

  /** A row that goes hands the focus on. @param {ListRow} row */
  #keepFocus(row) {
    if (!focusedIn(row.element)) return;
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    linkIn(neighbour)?.focus();
  }

  /** The arrow keys lead from one session to the next. @param {KeyboardEvent} event */
  #move(event) {
    const row = focusedIn(this.body)?.closest("tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const targets = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.body.firstElementChild,
      End: this.body.lastElementChild,
    };
    const link = linkIn(targets[/** @type {keyof typeof targets} */ (event.key)]);
    if (!link) return;
    event.preventDefault();
    link.focus();
  }
}

/** @param {Element | null | undefined} row @returns {HTMLElement | null} */
function linkIn(row) {
  return row?.querySelector("a") ?? null;
}

/** @param {Language} language */
function tableHead(language) {
  const row = make("tr", "list-head");
  row.role = "row";
  for (const [index, key] of COLUMNS.entries()) {
    const column = make("th", CLASSES[index], language.text(key));
    column.role = "columnheader";
    column.scope = "col";
    row.append(column);
  }
  const head = make("thead", "", row);
  head.role = "rowgroup";
  return head;
}
