import { makeSvg, setText } from "./dom.js";
import { clock } from "./durations.js";
import { kindOf } from "./timeline-spans.js";

/** @typedef {import("./timeline-spans.js").Span} Span */

/** The height of a row, which the style sheet gives the names too. */
export const ROW_PX = 24;
const BAR_PX = 10;
const EXPECTED_PX = 18;
const AXIS_PX = 20;
const TICKS = /** @type {const} */ ([
  [0, "start"],
  [0.5, "middle"],
  [1, "end"],
]);

/** The bars of a timeline. */
export class TimelineChart {
  element = makeSvg("svg", { width: "100%", "aria-hidden": "true", class: "timeline-chart" });

  /** @param {Span[]} spans @param {number} axis_ms @param {number} pointed The row that is lit; -1: none. */
  show(spans, axis_ms, pointed) {
    const height = spans.length * ROW_PX;
    this.element.setAttribute("height", String(height + AXIS_PX));
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
    bars[pointed]?.classList.add("pointed");
    this.#update([...grid, ...expected, ...bars]);
  }

  /** Changes attributes in place where it can. @param {SVGElement[]} nodes */
  #update(nodes) {
    const shown = [...this.element.children];
    if (shown.length !== nodes.length) {
      this.element.replaceChildren(...nodes);
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
