/* The title of a page: pure functions of the states of its sessions. */
import { headlineOf } from "./headline.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./session-state.js").SessionState} SessionState */

const MARKS = { completed: "✓", error: "✗", not_found: "…", pending: "0%", running: "" };
const DELETED = "✗";

/**
 * The title of a page with one job. The percentage comes first, since tabs are narrow.
 * @param {SessionState} state
 * @param {string} name Of the page, for a job that has no title.
 */
export function titleOf({ data, percentage, isDeleted }, name) {
  const mark = isDeleted ? DELETED : MARKS[data.status] || `${percentage}%`;
  const step = data.status === "running" ? String(headlineOf(data).values.name) : "";
  return withoutDirections(`${[mark, step].filter(Boolean).join(" ")} – ${data.title ?? name}`);
}

/**
 * The title for several jobs: a failure, or else the percentage of all combined.
 * @param {SessionState[]} states
 * @param {number} count
 * @param {string} title
 */
export function titleOfMany(states, count, title) {
  const { status, percentage } = combined(states, count);
  return `${status === "running" ? `${percentage}%` : MARKS[status]} – ${title}`;
}

/**
 * @param {SessionState[]} states
 * @param {number} count Of jobs. A job without data counts as not begun.
 * @returns {{status: Progress["status"], percentage: number}}
 */
export function combined(states, count) {
  /** @type {Progress["status"][]} */
  const statuses = states.map(({ data }) => data.status);
  if (states.length < count) statuses.push("not_found");
  const percentage = Math.floor(states.reduce((sum, state) => sum + state.percentage, 0) / count);
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  return { status: statuses.every((status) => status === first) ? first : "running", percentage };
}

/** A title has no <bdi>, so characters that change the direction are removed. @param {string} text */
function withoutDirections(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
