/* The title of a page: pure functions of the states of its sessions. */
import { hasPercentage } from "./bar-percentage.js";
import { headlineOf } from "./headline.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** @type {Partial<Record<Progress["status"], string>>} */
const MARKS = { completed: "✓", error: "✗", not_found: "…" };

/**
 * The title of a page with one job. The percentage comes first, since tabs are narrow; then the step that runs.
 * @param {SessionState} state
 * @param {string} name Of the page, for a job that has no title.
 */
export function titleOf({ data, percentage, isDeleted }, name) {
  const mark = isDeleted ? MARKS.error : markOf(data.status, hasPercentage(data) ? percentage : null);
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
 * @returns {{status: Progress["status"], percentage: number | null}} No percentage: that of one is not known.
 */
export function combined(states, count) {
  /** @type {Progress["status"][]} */
  const statuses = states.map(({ data }) => data.status);
  if (states.length < count) statuses.push("not_found");
  const known = Math.floor(states.reduce((sum, state) => sum + state.percentage, 0) / count);
  const percentage = states.every(({ data }) => hasPercentage(data)) ? known : null;
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  return { status: statuses.every((status) => status === first) ? first : "running", percentage };
}

/** @param {Progress["status"]} status @param {number | null} percentage */
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
