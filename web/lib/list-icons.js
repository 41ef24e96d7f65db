/* The signs of a list's sessions: of one family, and told apart without their colours. */
import { makeSvg } from "./dom.js";

const RING = "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12z";

/** What stands in the ring. @type {Record<string, string>} */
const MARKS = {
  pending: "M8 5v3.25l2.25 1.5",
  completed: "M5.25 8.25l2 2L10.75 6.2",
  error: "M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5",
  cancelled: "M5.25 8h5.5",
  lost: "M6.5 6.4a1.6 1.6 0 1 1 2.3 1.4c-.5.3-.8.6-.8 1.2M8 11v.01",
};
/** A ring of which a quarter is drawn. */
const RUNNING = "M8 2a6 6 0 0 1 6 6";

/** @param {string} look */
export function listIcon(look) {
  const mark = MARKS[look];
  const paths = mark
    ? [makeSvg("path", { d: RING + mark })]
    : [makeSvg("path", { class: "list-icon-faint", d: RING }), makeSvg("path", { d: RUNNING })];
  return makeSvg("svg", { viewBox: "0 0 16 16", class: "list-icon", "aria-hidden": "true" }, ...paths);
}
