/* When each step ran: bars on one time axis, and a table for screen readers. */

import { fill, isolated, make, makeSvg, setText } from "./dom.js";
import { clock } from "./durations.js";
import { elapsed_ms } from "./steps.js";
import { usual_ms } from "./usual-times.js";

/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {import("./usual-times.js").Learned} Learned */
/**
 * `start` and the lengths are fractions of the axis; `usualLength` and `usually_ms` are NaN where that is not known.
 * @typedef {{step: StartedStep, start: number, length: number, usualLength: number, usually_ms: number}} Span
 */

const ROW_PX = 24;
const BAR_PX = 10;
const USUAL_PX = 18;
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
    const [to_ms, usually_ms] = [from_ms + elapsed_ms(step, now_ms), usual_ms(step, learned)];
    // The axis has room for what is left of a step.
    const end_ms = step.status === "running" ? Math.max(to_ms, from_ms + (usually_ms || 0)) : to_ms;
    return { step, from_ms, to_ms, end_ms, usually_ms };
  });
  const begin_ms = Math.min(...times.map(({ from_ms }) => from_ms));
  const axis_ms = Math.max(MIN_AXIS_MS, Math.max(...times.map(({ end_ms }) => end_ms)) - begin_ms);
  const spans = times.map(({ step, from_ms, to_ms, usually_ms }) => {
    const length = Math.max(MIN_LENGTH, (to_ms - from_ms) / axis_ms);
    const start = Math.min((from_ms - begin_ms) / axis_ms, 1 - length);
    return { step, start, length, usualLength: Math.min(1 - start, usually_ms / axis_ms), usually_ms };
  });
  return { spans, axis_ms };
}

export class Timeline {
  #language;
  #names = make("ol", "timeline-names");
  #chart = makeSvg("svg", { width: "100%" });
  #rows = make("tbody");
  #usualHead;
  #legend;
  /** The table's rows, as JSON. */
  #shownRows = "";

  /** @param {import("./language.js").Language} language */
  constructor(language) {
    this.#language = language;
    this.#names.ariaHidden = "true";
    this.#chart.setAttribute("aria-hidden", "true");
    this.#chart.setAttribute("class", "timeline-chart");
    this.#usualHead = this.#head("column_usual");
    this.#legend = make("p", "timeline-legend", language.text("usual"));
    this.#legend.ariaHidden = "true";
    this.element = make(
      "details",
      "timeline",
      make("summary", "", language.text("timeline")),
      make("div", "timeline-body", this.#names, this.#chart),
      this.#legend,
      make("div", "visually-hidden", this.#table()),
    );
    this.element.open = true;
    this.element.hidden = true;
  }

  #table() {
    const keys = /** @type {const} */ (["column_step", "column_state", "column_started", "column_took"]);
    const heads = [...keys.map((key) => this.#head(key)), this.#usualHead];
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
    const isUsualKnown = spans.some(({ usually_ms }) => !Number.isNaN(usually_ms));
    this.#usualHead.hidden = !isUsualKnown;
    this.#legend.hidden = !isUsualKnown;
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
    const usual = spans.flatMap(({ start, usualLength }, row) =>
      usualLength > 0 ? [rectangle("usual", row, USUAL_PX, start, usualLength)] : [],
    );
    const bars = spans.map(({ step, start, length }, row) =>
      rectangle(step.conclusion ?? step.status, row, BAR_PX, start, length),
    );
    this.#update([...grid, ...usual, ...bars]);
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
    const rows = spans.map(({ step, usually_ms }) => [
      step.name,
      this.#language.text(`step_${step.conclusion ?? step.status}`),
      this.#language.time(Date.parse(step.started_at ?? "")),
      step.status === "running" ? "" : this.#language.duration(step.elapsed_ms),
      ...(this.#usualHead.hidden ? [] : [Number.isNaN(usually_ms) ? "" : this.#language.duration(usually_ms)]),
    ]);
    const json = JSON.stringify(rows);
    if (json === this.#shownRows) return;
    this.#shownRows = json;
    this.#rows.replaceChildren(
      ...rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", isolated(cell))))),
    );
  }
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
