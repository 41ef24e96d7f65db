/* When each step ran: bars on one time axis, details of each, and a table for screen readers. */
import { isolated, make, nodesOf } from "./dom.js";
import { stateText } from "./step-words.js";
import { TimelineChart } from "./timeline-chart.js";
import { TimelineRows } from "./timeline-rows.js";
import { kindOf, spansOf } from "./timeline-spans.js";
import { spanWords } from "./timeline-words.js";

/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./timeline-spans.js").Span} Span */
/** @typedef {import("./timeline-spans.js").Kind} Kind */
/** @typedef {import("./usual-times.js").Learned} Learned */
/** @typedef {{head: HTMLElement, legend: HTMLElement}} Expectation */

/** @type {readonly Kind[]} */
const KINDS = ["usual", "expected"];
/** A longer timeline is closed at first: it would be most of the page. */
const OPEN_UP_TO = 12;

export class Timeline {
  #language;
  #chart = new TimelineChart();
  #rows;
  #cells = make("tbody");
  /** @type {Record<Kind, Expectation>} */
  #expectations;
  /** The table's cells, as JSON. */
  #shownCells = "";
  /** @type {{steps: Step[], now_ms: number, learned: Learned}} */
  #shown = { steps: [], now_ms: 0, learned: new Map() };

  /** @param {import("./language.js").Language} language */
  constructor(language) {
    this.#language = language;
    this.#rows = new TimelineRows(`${language.text("timeline")}. ${language.text("timeline_hint")}`, () =>
      this.#draw(),
    );
    this.#expectations = { usual: this.#expectation("usual"), expected: this.#expectation("expected") };
    const legends = Object.values(this.#expectations).map(({ legend }) => legend);
    const body = make("div", "timeline-body", this.#rows.names, this.#chart.element);
    this.#rows.watch(body);
    this.element = make(
      "details",
      "timeline",
      make("summary", "", language.text("timeline")),
      body,
      make("div", "timeline-foot", this.#rows.readout, make("div", "timeline-legends", ...legends)),
      make("div", "visually-hidden", this.#table()),
    );
    this.element.hidden = true;
    this.element.addEventListener("toggle", () => this.#draw());
  }

  /** @param {Kind} kind @returns {Expectation} */
  #expectation(kind) {
    const legend = make("p", `timeline-legend ${kind}`, this.#language.text(kind));
    legend.ariaHidden = "true";
    return { head: this.#head(`column_${kind}`), legend };
  }

  #table() {
    const keys = /** @type {const} */ (["column_step", "column_state", "column_started", "column_took"]);
    const expectations = Object.values(this.#expectations).map(({ head }) => head);
    const heads = [...keys.map((key) => this.#head(key)), ...expectations];
    const caption = make("caption", "", this.#language.text("timeline"));
    return make("table", "", caption, make("thead", "", make("tr", "", ...heads)), this.#cells);
  }

  /** @param {import("./texts.js").TextKey} key */
  #head(key) {
    const head = make("th", "", this.#language.text(key));
    head.scope = "col";
    return head;
  }

  /** @param {Step[]} steps @param {number} now_ms @param {Learned} learned */
  show(steps, now_ms, learned) {
    const isFirst = this.#shown.steps.length === 0;
    this.#shown = { steps, now_ms, learned };
    this.element.hidden = !steps.some(({ status }) => status !== "pending");
    if (isFirst) this.element.open = steps.length <= OPEN_UP_TO;
    this.#draw();
  }

  /** What is closed is drawn when it is opened. */
  #draw() {
    const { steps, now_ms, learned } = this.#shown;
    if (!this.element.open || this.element.hidden) return;
    const { spans, axis_ms } = spansOf(steps, now_ms, learned);
    for (const kind of KINDS) {
      const { head, legend } = this.#expectations[kind];
      head.hidden = !spans.some((span) => kindOf(span) === kind);
      legend.hidden = head.hidden;
    }
    this.#rows.show(spans, (span) => spanWords(span, this.#language));
    this.#chart.show(spans, axis_ms, this.#rows.pointed);
    this.#rows.read(this.#readout(spans[this.#rows.pointed], now_ms));
    this.#showCells(spans);
  }

  /** @param {Span | undefined} span @param {number} now_ms */
  #readout(span, now_ms) {
    if (!span) return [];
    return nodesOf(this.#language, "part", { part: span.step.name, text: spanWords(span, this.#language, now_ms) });
  }

  /** Without a running step's duration, which would change the table each second. @param {Span[]} spans */
  #showCells(spans) {
    const kinds = KINDS.filter((kind) => !this.#expectations[kind].head.hidden);
    const rows = spans.map(({ step, ...span }) => [
      step.name,
      stateText(step, this.#language),
      this.#language.time(Date.parse(step.started_at ?? "")),
      step.status === "running" ? "" : this.#language.duration(step.elapsed_ms),
      ...kinds.map((kind) => (kindOf(span) === kind ? this.#language.duration(span.expected_ms) : "")),
    ]);
    const json = JSON.stringify(rows);
    if (json === this.#shownCells) return;
    this.#shownCells = json;
    this.#cells.replaceChildren(
      ...rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", isolated(cell))))),
    );
  }
}
