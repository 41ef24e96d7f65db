/*
 * The icons of the page and the element: one family, drawn on a grid of 16, with strokes that are round and equally
 * thick. They take the colour of their text. `solid` parts are filled, and what lies on them has the card's colour.
 */
import { makeSvg } from "./dom.js";

/**
 * @typedef {object} Drawing
 * @property {string} [solid] The path of an area.
 * @property {string} [lines] The path of strokes.
 * @property {string} [faint] The path of strokes in the background.
 * @property {boolean} [isInverse] Whether the strokes lie on the area.
 */

const DISC = "M8 1.25a6.75 6.75 0 1 0 0 13.5a6.75 6.75 0 1 0 0-13.5z";
const RING = "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12z";
const TRIANGLE = "M8 2.25L14.5 13.5H1.5z";

/** @satisfies {Record<string, Drawing>} */
const DRAWINGS = {
  absent: {
    lines:
      "M8 2a6 6 0 0 1 3 .8M13.2 5a6 6 0 0 1 .3 5.4M11 13.2a6 6 0 0 1-6 0M2.5 10.4A6 6 0 0 1 2.8 5M5 2.8A6 6 0 0 1 8 2",
  },
  pending: { lines: `${RING}M8 5v3.25l2.25 1.5` },
  running: { faint: RING, lines: "M8 2a6 6 0 0 1 6 6" },
  success: { solid: DISC, lines: "M5 8.25l2.1 2.1L11 6.2", isInverse: true },
  error: { solid: DISC, lines: "M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5", isInverse: true },
  skipped: { lines: `${RING}M5.25 5.75L7.5 8l-2.25 2.25M8.5 5.75L10.75 8 8.5 10.25` },
  cancelled: { solid: DISC, lines: "M5.25 8h5.5", isInverse: true },
  lost: { lines: `${RING}M6.5 6.4a1.6 1.6 0 1 1 2.3 1.4c-.5.3-.8.6-.8 1.2M8 11v.01` },
  stalled: { lines: `${TRIANGLE}M8 6.5v3M8 11.4v.01` },
  denied: { lines: "M3.5 7.25h9v6.25h-9zM5.5 7.25V5a2.5 2.5 0 0 1 5 0v2.25" },
  deleted: { lines: "M3 4.5h10M6.5 4.5V2.75h3V4.5M4.25 4.5l.6 8.75h6.3l.6-8.75M6.75 7.25v3.5M9.25 7.25v3.5" },
  again: { lines: "M13 8a5 5 0 1 1-1.6-3.7M11.75 1.75v2.75H9" },
  alive: { lines: "M1.5 8.5h3L6.5 4l3 8 2-3.5h3" },
  chevron: { lines: "M6 3.75L10.25 8 6 12.25" },
  back: { lines: "M10 3.75L5.75 8 10 12.25" },
  link: {
    lines:
      "M6.75 9.25a2.75 2.75 0 0 0 3.9 0l2.2-2.2a2.75 2.75 0 0 0-3.9-3.9l-1 1M9.25 6.75a2.75 2.75 0 0 0-3.9 0l-2.2 2.2a2.75 2.75 0 0 0 3.9 3.9l1-1",
  },
  out: { lines: "M6.25 3.5H3.5v9h9V9.75M9.5 2.75h3.75V6.5M13 3L7.75 8.25" },
  check: { lines: "M3 8.5l3.25 3.25L13 5" },
  light: {
    lines:
      "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6zM8 1v1.25M8 13.75V15M1 8h1.25M13.75 8H15M3.05 3.05l.9.9M12.05 12.05l.9.9M3.05 12.95l.9-.9M12.05 3.95l.9-.9",
  },
  dark: { lines: "M13.5 9.75A6 6 0 0 1 6.25 2.5a6 6 0 1 0 7.25 7.25z" },
  system: { lines: "M2 3h12v8H2zM6 14h4M8 11v3" },
  keyboard: { lines: "M1.5 4h13v8h-13zM4 6.5v.01M6.7 6.5v.01M9.3 6.5v.01M12 6.5v.01M4.5 9.5h7" },
};

/** @typedef {keyof typeof DRAWINGS} IconName */

/** @param {IconName} name Assistive technology does not see the icon. */
export function icon(name) {
  /** @type {Drawing} */
  const { solid, lines, faint, isInverse } = DRAWINGS[name];
  const paths = [
    ...(solid ? [makeSvg("path", { class: "icon-solid", d: solid })] : []),
    ...(faint ? [makeSvg("path", { class: "icon-faint", d: faint })] : []),
    ...(lines ? [makeSvg("path", { class: isInverse ? "icon-inverse" : "icon-lines", d: lines })] : []),
  ];
  return makeSvg("svg", { class: `drawing drawing-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, ...paths);
}

/**
 * The icon of a session or a step, by its status and by what is finer than that.
 * @param {"not_found" | "connecting" | "pending" | "running" | "completed" | "success" | "error"} status
 * @param {{conclusion?: string | undefined, isStalled?: boolean, isIdle?: boolean, isDeleted?: boolean}} [more]
 * @returns {IconName}
 */
export function iconOf(status, { conclusion, isStalled = false, isIdle = false, isDeleted = false } = {}) {
  if (isDeleted) return "deleted";
  if (status === "not_found" || status === "connecting") return "absent";
  if (status === "running" && (isStalled || isIdle)) return isStalled ? "stalled" : "pending";
  if (conclusion === "skipped" || conclusion === "cancelled" || conclusion === "lost") return conclusion;
  return status === "completed" ? "success" : status;
}
