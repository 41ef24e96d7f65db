/* The page's icon: a ring that fills, with a mark at the end. */

/** @typedef {import("../lib/wire.js").Progress} Progress */

const TRACK = "%23a5a8f0";
const RING = {
  completed: "%2316a34a",
  error: "%23dc2626",
  running: "%234f46e5",
  pending: "%234f46e5",
  not_found: "%234f46e5",
};
const MARKS = {
  completed: "M10 16.5l4.2 4.2 8-9",
  error: "M11 11l10 10M21 11l-10 10",
  running: "",
  pending: "",
  not_found: "",
};
const RADIUS = 12;
const ROUND = 2 * Math.PI * RADIUS;

/**
 * @param {Progress["status"]} status
 * @param {number | null} percentage If it is not known, a quarter of the ring shows that something runs.
 * @returns {string} A `data:` address.
 */
export function faviconOf(status, percentage) {
  const drawn = percentage ?? (status === "running" ? 25 : 0);
  const filled = status === "completed" || status === "error" ? ROUND : (ROUND * drawn) / 100;
  const ring =
    filled &&
    `<circle cx='16' cy='16' r='${RADIUS}' stroke='${RING[status]}' stroke-dasharray='${filled.toFixed(1)} 100'` +
      " transform='rotate(-90 16 16)'/>";
  const mark = MARKS[status] && `<path d='${MARKS[status]}' stroke='${RING[status]}' stroke-width='4'/>`;
  return encoded(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><g fill='none' stroke-width='6'>" +
      `<circle cx='16' cy='16' r='${RADIUS}' stroke='${TRACK}'/>${ring || ""}${mark}</g></svg>`,
  );
}

/** @param {string} svg Its colours have their # encoded already. */
function encoded(svg) {
  return `data:image/svg+xml,${svg.replaceAll("<", "%3C").replaceAll(">", "%3E")}`;
}
