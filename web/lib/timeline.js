/* When each step ran: bars on one time axis, and a table for screen readers. */

import { fill, isolated, make, makeSvg, setText } from "./dom.js";
import { clock } from "./durations.js";
import { elapsed_ms } from "./steps.js";
import { usual_ms } from "./usual-times.js";

/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {import("./usual-times.js").Learned} Learned */
/**
 * `start` and the lengths are fractions of the axis. A step is expected to take `expected_ms`, NaN where that is not
 * known; `isUsual`, if it usually does, by earlier runs.
 * @typedef {{step: StartedStep, start: number, length: number, expectedLength: number, expected_ms: number, isUsual: boolean}} Span
 */

/**
 * What the duration behind a bar rests on: earlier runs, or a declaration.
 * @typedef {"usual" | "expected"} Kind
 * @typedef {{head: HTMLElement, legend: HTMLElement}} Expectation
 */

/** @type {readonly Kind[]} */
const KINDS = ["usual", "expected"];
const ROW_PX = 24;
const BAR_PX = 10;
const EXPECTED_PX = 18;
const AXIS_PX = 20;
/** On a shorter axis a brief step would look long. */
const MIN_AXIS_MS = 4000;
/** The width of an instant. */
const MIN_LENGTH = 0.01;
const TICKS = /** @type {const} */ ([
  [0, "start"],
  [0.5, "middle"],
  [1, "end"],
]);

/**
 * @param {Step[]} steps
 * @param {number} now_ms
 * @param {Learned} [learned]
 * @returns {{spans: Span[], axis_ms: number}}
 */
export function spansOf(steps, now_ms, learned = new Map()) {
  const started = steps.flatMap((step) => (step.status === "pending" || !step.started_at ? [] : [step]));
  const times = started.map((step) => {
    const from_ms = Date.parse(step.started_at ?? "");
    const [to_ms, expected_ms] = [from_ms + elapsed_ms(step, now_ms), usual_ms(step, learned)];
    // The axis has room for what is left of a step.
    const end_ms = step.status === "running" ? Math.max(to_ms, from_ms + (expected_ms || 0)) : to_ms;
    return { step, from_ms, to_ms, end_ms, expected_ms };
  });
  const begin_ms = Math.min(...times.map(({ from_ms }) => from_ms));
  const axis_ms = Math.max(MIN_AXIS_MS, Math.max(...times.map(({ end_ms }) => end_ms)) - begin_ms);
  const spans = times.map(({ step, from_ms, to_ms, expected_ms }) => {
    const length = Math.max(MIN_LENGTH, (to_ms - from_ms) / axis_ms);
    const start = Math.min((from_ms - begin_ms) / axis_ms, 1 - length);
    const expectedLength = Math.min(1 - start, expected_ms / axis_ms);
    return { step, start, length, expectedLength, expected_ms, isUsual: learned.has(step.name) };
  });
  return { spans, axis_ms };
}

export class Timeline {
  #language;
  #names = make("ol", "timeline-names");
  #chart = makeSvg("svg", { width: "100%" });
  #rows = make("tbody");
  /** @type {Record<Kind, Expectation>} */
  #expectations;
  /** The table's rows, as JSON. */
  #shownRows = "";

  /** @param {import("./language.js").Language} language */
  constructor(language) {
    this.#language = language;
    this.#names.ariaHidden = "true";
    this.#chart.setAttribute("aria-hidden", "true");
    this.#chart.setAttribute("class", "timeline-chart");
    this.#expectations = { usual: this.#expectation("usual"), expected: this.#expectation("expected") };
    this.element = make(
      "details",
      "timeline",
      make("summary", "", language.text("timeline")),
      make("div", "timeline-body", this.#names, this.#chart),
      ...Object.values(this.#expectations).map(({ legend }) => legend),
      make("div", "visually-hidden", this.#table()),
    );
    this.element.open = true;
    this.element.hidden = true;
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
    return make("table", "", caption, make("thead", "", make("tr", "", ...heads)), this.#rows);
  }

  /** @param {import("./texts.js").TextKey} key */
  #head(key) {
    const head = make("th", "", this.#language.text(key));
    head.scope = "col";
    return head;
  }

  /** @param {Step[]} steps @param {number} now_ms @param {Learned} learned */
  show(steps, now_ms, learned) {
    const { spans, axis_ms } = spansOf(steps, now_ms, learned);
    this.element.hidden = spans.length === 0;
    if (!spans.length) return;
    for (const kind of KINDS) {
      const { head, legend } = this.#expectations[kind];
      head.hidden = !spans.some((span) => kindOf(span) === kind);
      legend.hidden = head.hidden;
    }
    fill(
      this.#names,
      spans.map(({ step }) => make("li", "", isolated(step.name))),
    );
    this.#draw(spans, axis_ms);
    this.#showRows(spans);
  }

  /** @param {Span[]} spans @param {number} axis_ms */
  #draw(spans, axis_ms) {
    const height = spans.length * ROW_PX;
    this.#chart.setAttribute("height", String(height + AXIS_PX));
    const grid = TICKS.flatMap(([at, anchor]) => {
      const x = `${at * 100}%`;
      const label = makeSvg("text", { x, y: height + 15, "text-anchor": anchor }, clock(at * axis_ms));
      return [makeSvg("line", { x1: x, x2: x, y1: 0, y2: height }), label];
    });
    const expected = spans.flatMap((span, row) =>
      span.expectedLength > 0 ? [rectangle(kindOf(span) ?? "", row, EXPECTED_PX, span.start, span.expectedLength)] : [],
    );
    const bars = spans.map(({ step, start, length }, row) =>
      rectangle(step.conclusion ?? step.status, row, BAR_PX, start, length),
    );
    this.#update([...grid, ...expected, ...bars]);
  }

  /** Changes attributes in place where it can. @param {SVGElement[]} nodes */
  #update(nodes) {
    const shown = [...this.#chart.children];
    if (shown.length !== nodes.length) {
      this.#chart.replaceChildren(...nodes);
      return;
    }
    nodes.forEach((node, index) => {
      const target = shown[index];
      if (!target) return;
      for (const { name, value } of node.attributes) {
        if (target.getAttribute(name) !== value) target.setAttribute(name, value);
      }
      setText(target, node.textContent ?? "");
    });
  }

  /** Without a running step's duration, which would change the table each second. @param {Span[]} spans */
  #showRows(spans) {
    const kinds = KINDS.filter((kind) => !this.#expectations[kind].head.hidden);
    const rows = spans.map(({ step, ...span }) => [
      step.name,
      this.#language.text(`step_${step.conclusion ?? step.status}`),
      this.#language.time(Date.parse(step.started_at ?? "")),
      step.status === "running" ? "" : this.#language.duration(step.elapsed_ms),
      ...kinds.map((kind) => (kindOf(span) === kind ? this.#language.duration(span.expected_ms) : "")),
    ]);
    const json = JSON.stringify(rows);
    if (json === this.#shownRows) return;
    this.#shownRows = json;
    this.#rows.replaceChildren(
      ...rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", isolated(cell))))),
    );
  }
}

/** What its expected duration is called. @param {Pick<Span, "expected_ms" | "isUsual">} span @returns {Kind | null} */
function kindOf({ expected_ms, isUsual }) {
  if (Number.isNaN(expected_ms)) return null;
  return isUsual ? "usual" : "expected";
}

/**
 * @param {string} kind
 * @param {number} row
 * @param {number} height
 * @param {number} start
 * @param {number} length
 */
function rectangle(kind, row, height, start, length) {
  const y = row * ROW_PX + (ROW_PX - height) / 2;
  return makeSvg("rect", { class: kind, x: percent(start), width: percent(length), y, height, rx: height / 2 });
}

/** @param {number} part */
const percent = (part) => `${(part * 100).toFixed(3)}%`;
