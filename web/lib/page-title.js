/* The title of a page: pure functions of the states of its sessions. */
import { hasPercentage } from "./bar-percentage.js";
import { headlineOf } from "./headline.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** @typedef {Progress["status"] | "cancelled"} PageStatus */

/** @type {Partial<Record<PageStatus, string>>} */
const MARKS = { completed: "✓", error: "✗", cancelled: "⊘", not_found: "…" };

/**
 * The title of a page with one job. The percentage comes first, since tabs are narrow; then the step that runs.
 * @param {SessionState} state
 * @param {string} name Of the page, for a job that has no title.
 */
export function titleOf(state, name) {
  const { data } = state;
  const mark = markOf(statusOf(state), hasPercentage(data) ? state.percentage : null);
  const step = [mark, headlineOf(data).values.name].filter(Boolean).join(" ");
  return withoutDirections(joined(step, data.title ?? name));
}

/**
 * The title for several jobs: a failure, or else the percentage of all combined.
 * @param {SessionState[]} states
 * @param {number} count
 * @param {string} title
 */
export function titleOfMany(states, count, title) {
  const { status, percentage } = combined(states, count);
  return joined(markOf(status, percentage), title);
}

/**
 * @param {SessionState[]} states
 * @param {number} count Of jobs. A job without data counts as not begun.
 * @returns {{status: PageStatus, percentage: number | null}} No percentage: that of one is not known.
 */
export function combined(states, count) {
  const statuses = states.map(statusOf);
  if (states.length < count) statuses.push("not_found");
  const known = Math.floor(states.reduce((sum, state) => sum + state.percentage, 0) / count);
  const percentage = states.every(({ data }) => hasPercentage(data)) ? known : null;
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  const isEnd = (/** @type {PageStatus} */ status) => status === "completed" || status === "cancelled";
  const mixed = statuses.every(isEnd) ? "cancelled" : "running";
  return { status: statuses.every((status) => status === first) ? first : mixed, percentage };
}

/** @param {SessionState} state @returns {PageStatus} */
function statusOf({ data, isDeleted }) {
  return isDeleted || data.conclusion === "cancelled" ? "cancelled" : data.status;
}

/** @param {PageStatus} status @param {number | null} percentage */
function markOf(status, percentage) {
  return MARKS[status] ?? (percentage === null ? "" : `${percentage}%`);
}

/** @param {string} state @param {string} name */
function joined(state, name) {
  return state ? `${state} – ${name}` : name;
}

/** A title has no <bdi>, so characters that change the direction are removed. @param {string} text */
function withoutDirections(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
