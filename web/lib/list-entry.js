/* What a list says of a session: pure functions of its entry and of the server's time, `now_ms`. No DOM. */
import { moved, percentageOf } from "./bar-percentage.js";
import { leftByTime } from "./time-left.js";
import { timeWords } from "./time-words.js";
import { NOTHING_KNOWN } from "./usual-times.js";

/** @typedef {import("./language.js").Language} Language */
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
 * What is left of it. How long it took is not known: an entry does not say when its first step was started.
 * @param {ListedSession} session
 * @param {number} now_ms
 * @param {Language} language
 */
export function timeLeftWords(session, now_ms, language) {
  if (session.status !== "running") return "";
  const left = leftByTime({ ...session, steps: [] }, NOTHING_KNOWN.learned, created_ms(session), now_ms);
  return timeWords(left, now_ms, language);
}
