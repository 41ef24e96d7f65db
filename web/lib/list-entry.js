/* What a list says of a session: pure functions of its entry and of the server's time, `now_ms`. No DOM. */
import { hasPercentage, moved, percentageOf } from "./bar-percentage.js";
import { IDLE_MS } from "./steps.js";
import { leftByTime } from "./time-left.js";
import { timeWords } from "./time-words.js";
import { NOTHING_KNOWN } from "./usual-times.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {import("./wire.js").ListStatus} ListStatus */
/** @typedef {Exclude<ListStatus, "error">} Look */

/** Of more steps, a percentage does not show how many are done. */
const MAX_COUNTED = 100;

/** All that a list may be asked for. @type {readonly ListStatus[]} */
export const STATUSES = ["pending", "running", "stalled", "completed", "error", "failed", "cancelled", "lost"];

/** How it looks: its status, or what is finer. @param {ListedSession} session @returns {Look} */
export function lookOf(session) {
  const { status, conclusion } = session;
  if (status !== "error") return status === "running" && isStalled(session) ? "stalled" : status;
  return conclusion === "cancelled" || conclusion === "lost" ? conclusion : "failed";
}

/** What a list may be asked for that has it, as the server decides. @param {ListedSession} session @returns {ListStatus[]} */
export function statusesOf(session) {
  const { status } = session;
  const own = status === "error" ? [status, lookOf(session)] : [status];
  return isStalled(session) ? [...own, "stalled"] : own;
}

/** Whether the worker of a running step gives no sign of life. @param {ListedSession} session */
function isStalled({ liveness }) {
  return liveness?.state === "stalled";
}

/** Whether it has been between two steps for long. @param {ListedSession} session @param {number} now_ms */
export function isIdle({ idle_since }, now_ms) {
  return idle_since !== undefined && now_ms - Date.parse(idle_since) >= IDLE_MS;
}

/** @param {ListedSession} session */
export function nameOf({ title, session_id }) {
  return title || session_id;
}

/** When it was created. @param {ListedSession} session */
export function created_ms({ created_at }) {
  return Date.parse(created_at);
}

/** Whether its bar and its time change by themselves. @param {ListedSession} session */
export function isTicking({ status }) {
  return status === "running";
}

/**
 * Whole percent. It moves as that of a session's page.
 * @param {ListedSession} session
 * @param {number} now_ms
 * @returns {number | null} null: more steps may follow, and no time is known.
 */
export function percentageAt(session, now_ms) {
  if (!hasPercentage(session)) return null;
  const known = percentageOf(session);
  if (lookOf(session) === "stalled") return known;
  const data = { ...session, steps: [] };
  return Math.floor(moved(known, data, NOTHING_KNOWN.learned, Date.parse(session.updated_at), now_ms));
}

/** How far it is, in steps: "" where that says nothing. @param {ListedSession} session @param {number} now_ms @param {Language} language */
export function stepWords(session, now_ms, language) {
  const { status, current_step: step, total_steps: total, percentage, open_ended } = session;
  const isOpen = open_ended && status !== "completed" && status !== "error";
  if (isOpen) return total ? language.text(total === 1 ? "counted_open_one" : "counted_open_other", { total }) : "";
  if (isIdle(session, now_ms)) {
    // The percentage is the floor of the share of ended steps, which of few steps is exact.
    const done = Math.ceil((percentage * total) / 100);
    return total <= MAX_COUNTED ? language.text(total === 1 ? "counted_one" : "counted_other", { done, total }) : "";
  }
  return step && total > 1 && status !== "completed" ? language.text("list_step", { step, total }) : "";
}

/**
 * Since when it has stood still, or what is left of it. How long it took is not known: an entry does not say when its
 * first step was started.
 * @param {ListedSession} session
 * @param {number} now_ms
 * @param {Language} language
 */
export function timeText(session, now_ms, language) {
  if (session.status !== "running") return "";
  if (session.liveness && isStalled(session)) {
    return language.text("stalled", { time: language.moment(Date.parse(session.liveness.since), now_ms) });
  }
  if (isIdle(session, now_ms)) return language.text("list_idle");
  const left = leftByTime({ ...session, steps: [] }, NOTHING_KNOWN.learned, created_ms(session), now_ms);
  return timeWords(left, now_ms, language);
}
