/* What a list says of a session: pure functions of its entry and of the server's time, `now_ms`. No DOM. */
import { moved, percentageOf } from "./bar-percentage.js";
import { leftByTime } from "./time-left.js";
import { timeWords } from "./time-words.js";
import { NOTHING_KNOWN } from "./usual-times.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./wire.js").ListedSession} ListedSession */

/** How it looks: its status, or what ended it. @param {ListedSession} session */
export function lookOf({ status, conclusion }) {
  return (status === "error" && conclusion) || status;
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

/** Whole percent. It moves as that of a session's page. @param {ListedSession} session @param {number} now_ms */
export function percentageAt(session, now_ms) {
  const data = { ...session, steps: [] };
  return Math.floor(moved(percentageOf(data), data, NOTHING_KNOWN.learned, Date.parse(session.updated_at), now_ms));
}

/** The step that it is at: "" where that says nothing. @param {ListedSession} session @param {Language} language */
export function stepWords({ status, current_step, total_steps }, language) {
  if (status === "completed" || !current_step || total_steps < 2) return "";
  return language.text("list_step", { step: current_step, total: total_steps });
}

/**
 * How long it took, or what is left of it.
 * @param {ListedSession} session
 * @param {number} now_ms
 * @param {Language} language
 */
export function durationWords(session, now_ms, language) {
  const begin_ms = created_ms(session);
  const took = (/** @type {TextKey} */ key, /** @type {number} */ end_ms) =>
    language.text(key, { duration: { duration_ms: end_ms - begin_ms } });
  if (session.status === "completed") return took("list_took", Date.parse(session.updated_at));
  if (session.status === "error") return took("list_ended", Date.parse(session.updated_at));
  if (session.status === "pending") return "";
  const left = leftByTime({ ...session, steps: [] }, NOTHING_KNOWN.learned, begin_ms, now_ms);
  return timeWords(left, now_ms, language) || took("list_since", now_ms);
}
