/* The parts of a step that several workers do at once: pure functions of its data. No DOM. */

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Part} Part */
/** @typedef {import("./wire.js").Parts} Parts */
/** @typedef {import("./wire.js").StepStatus} StepStatus */
/** A part, as far as it is known: a poll names at most 20. @typedef {{status: StepStatus, part?: Part}} Cell */

/** The failed ones first, and last those that no worker has reported. */
const ORDER = /** @type {const} */ (["error", "running", "success"]);

/** How many parts have been reported. @param {Parts} parts */
export function reportedParts({ running, success, error }) {
  return running + success + error;
}

/**
 * A cell for each part.
 * @param {Parts} parts
 * @param {Part[]} [known] All parts, as they were some time ago.
 * @returns {Cell[]}
 */
export function cellsOf(parts, known = []) {
  const isListed = new Set(parts.listed.map(({ part }) => part));
  const all = [...parts.listed, ...known.filter(({ part }) => !isListed.has(part))];
  const cells = ORDER.flatMap((status) => cellsOfStatus(all, status, parts[status]));
  const waiting = Math.max(0, (parts.total ?? 0) - cells.length);
  return [...cells, ...Array.from({ length: waiting }, () => ({ status: /** @type {const} */ ("pending") }))];
}

/** @param {Part[]} known @param {Part["status"]} status @param {number} count @returns {Cell[]} */
function cellsOfStatus(known, status, count) {
  const named = known.filter((part) => part.status === status);
  return Array.from({ length: count }, (_, index) => ({ status, ...(named[index] && { part: named[index] }) }));
}

/** @param {Parts} parts @param {boolean} isRunning Whether the step is. @param {Language} language */
export function partsText(parts, isRunning, language) {
  const { success: done, error } = parts;
  const key = parts.total === null && isRunning ? "parts_so_far" : "parts_done";
  const counted = language.text(key, { done, total: parts.total ?? reportedParts(parts) });
  return error ? language.joined([counted, language.text("parts_failed", { count: error })]) : counted;
}

/** What a cell says beside its name. @param {Cell} cell @param {Language} language */
export function cellText({ status, part }, language) {
  const word = language.text(`step_${status}`);
  if (!part) return word;
  const { progress, message = "", error = "" } = part;
  const counted = status === "running" && progress ? language.counted(progress) : "";
  return language.joined([word, counted, error || message].filter(Boolean));
}
