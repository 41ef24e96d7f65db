/* What a list says of a session: pure functions of its entry and of the server's time, `now_ms`. No DOM. */
import { grace_ms, lateWords } from "./time-left.js";
import { timeWords } from "./time-words.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").ListedSession} ListedSession */

/** 100 % comes only with the end. */
const MOST_BEFORE_THE_END = 99;

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

/**
 * Whole percent, by time where that is known. Between two updates it moves evenly, so that it would be full when half
 * of all runs have ended.
 * @param {ListedSession} session
 * @param {number} now_ms
 */
export function percentageAt({ status, percentage, time, updated_at }, now_ms) {
  if (status === "completed") return 100;
  const known = Math.min(MOST_BEFORE_THE_END, time?.percentage ?? percentage);
  const end_ms = Date.parse(time?.finish_at?.p50 ?? "");
  const begin_ms = Date.parse(updated_at);
  if (status !== "running" || !(end_ms > begin_ms) || now_ms <= begin_ms) return known;
  const moved = known + ((100 - known) * (now_ms - begin_ms)) / (end_ms - begin_ms);
  return Math.floor(Math.min(MOST_BEFORE_THE_END, moved));
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
  return session.status === "running" ? timeWords(left(session, now_ms), now_ms, language) : "";
}

/** @param {ListedSession} session @param {number} now_ms @returns {import("./time-left.js").TimeLeft} */
function left(session, now_ms) {
  const { time } = session;
  if (!time?.finish_at) return null;
  const end_ms = Date.parse(time.finish_at.p90);
  const [p50_ms, p90_ms] = [Date.parse(time.finish_at.p50) - now_ms, end_ms - now_ms];
  if (p90_ms + grace_ms(end_ms - created_ms(session)) < 0) return lateWords(time);
  return { p50_ms: Math.max(0, p50_ms), p90_ms: Math.max(0, p90_ms) };
}
