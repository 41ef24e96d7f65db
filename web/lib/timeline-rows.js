import { fill, isolated, make, setText } from "./dom.js";
import { ROW_PX } from "./timeline-chart.js";

/** @typedef {import("./timeline-spans.js").Span} Span */

/**
 * The names beside a timeline, and the details of one of its rows: of the one that the keyboard reaches, or under the
 * pointer. One row is in the order of the tabulator; arrow keys move to the others.
 */
export class TimelineRows {
  names = make("ol", "timeline-names");
  /** It keeps its place while it is empty. */
  readout = make("p", "timeline-readout");
  #onPoint;
  #pointed = -1;

  /** @param {string} label @param {(row: number) => void} onPoint Another row is pointed at; -1: none. */
  constructor(label, onPoint) {
    this.#onPoint = onPoint;
    // Safari drops the role of a list without markers.
    this.names.setAttribute("role", "list");
    this.names.ariaLabel = label;
    this.readout.ariaHidden = "true"; // The rows say it themselves.
    this.names.addEventListener("keydown", (event) => this.#move(event));
    this.names.addEventListener("focusin", ({ target }) => this.#point(this.#rows.indexOf(rowOf(target))));
    this.names.addEventListener("focusout", () => this.#point(-1));
  }

  /** The row that is pointed at; -1: none. */
  get pointed() {
    return this.#pointed;
  }

  get #rows() {
    return /** @type {HTMLElement[]} */ ([...this.names.children]);
  }

  /** Rows are found under the pointer also between the bars. @param {HTMLElement} body Of the names and the chart. */
  watch(body) {
    for (const type of /** @type {const} */ (["pointermove", "pointerdown"])) {
      body.addEventListener(type, ({ clientY }) => {
        this.#point(Math.floor((clientY - this.names.getBoundingClientRect().top) / ROW_PX));
      });
    }
    // A finger leaves whatever it has touched, and its owner reads then.
    body.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType !== "touch") this.#point(-1);
    });
  }

  /** @param {Span[]} spans @param {(span: Span) => string} details What a screen reader reads behind the name. */
  show(spans, details) {
    for (const row of this.#rows.slice(spans.length)) row.remove();
    if (spans.length && !this.#rows.some(({ tabIndex }) => tabIndex === 0)) this.#stopAt(0);
    for (const [index, span] of spans.entries()) {
      const [name, more] = (this.#rows[index] ?? this.#append(index)).children;
      if (name) setText(name, span.step.name);
      if (more) setText(more, ` ${details(span)}`);
    }
  }

  /** @param {Node[]} nodes */
  read(nodes) {
    fill(this.readout, nodes);
  }

  /** @param {number} index */
  #append(index) {
    const row = make("li", "", isolated(""), make("span", "visually-hidden"));
    row.tabIndex = index ? -1 : 0;
    this.names.append(row);
    return row;
  }

  /** @param {number} row */
  #point(row) {
    const pointed = row < this.#rows.length ? Math.max(-1, row) : -1;
    if (pointed === this.#pointed) return;
    this.#pointed = pointed;
    this.#onPoint(pointed);
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const index = this.#rows.indexOf(rowOf(event.target));
    const last = this.#rows.length - 1;
    const targets = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: last };
    const target = targets[/** @type {keyof typeof targets} */ (event.key)] ?? -1;
    if (target < 0 || target > last) return;
    event.preventDefault();
    this.#stopAt(target);
    this.#rows[target]?.focus();
  }

  /** @param {number} index The row that the tabulator reaches. */
  #stopAt(index) {
    for (const [each, row] of this.#rows.entries()) row.tabIndex = each === index ? 0 : -1;
  }
}

/** @param {EventTarget | null} target */
function rowOf(target) {
  return /** @type {HTMLElement} */ (target);
}
