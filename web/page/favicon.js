/* The page's icon: a ring that fills, with a mark at the end. */

/** @typedef {import("../lib/page-title.js").PageStatus} PageStatus */

const TRACK = "%23a5a8f0";
const RING = "%234f46e5";
/** The colour and the mark of each end. @type {Partial<Record<PageStatus, [string, string]>>} */
const ENDS = {
  completed: ["%2316a34a", "M10 16.5l4.2 4.2 8-9"],
  error: ["%23dc2626", "M11 11l10 10M21 11l-10 10"],
  cancelled: ["%236b7280", "M10 16h12"],
};
const RADIUS = 12;
const ROUND = 2 * Math.PI * RADIUS;

/**
 * @param {PageStatus} status
 * @param {number | null} percentage If it is not known, a quarter of the ring shows that something runs.
 * @returns {string} A `data:` address.
 */
export function faviconOf(status, percentage) {
  const [colour, path] = ENDS[status] ?? [RING, ""];
  const filled = (ROUND * (path ? 100 : (percentage ?? (status === "running" ? 25 : 0)))) / 100;
  const ring =
    filled &&
    `<circle cx='16' cy='16' r='${RADIUS}' stroke='${colour}' stroke-dasharray='${filled.toFixed(1)} 100'` +
      " transform='rotate(-90 16 16)'/>";
  const mark = path && `<path d='${path}' stroke='${colour}' stroke-width='4'/>`;
  return encoded(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><g fill='none' stroke-width='6'>" +
      `<circle cx='16' cy='16' r='${RADIUS}' stroke='${TRACK}'/>${ring || ""}${mark}</g></svg>`,
  );
}

/** @param {string} svg Its colours have their # encoded already. */
function encoded(svg) {
  return `data:image/svg+xml,${svg.replaceAll("<", "%3C").replaceAll(">", "%3E")}`;
}
