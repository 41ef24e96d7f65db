/* What there is to say of a step beside its name and its message. No DOM. */
import { elapsed_ms, isStalled } from "./steps.js";
import { usual_ms } from "./usual-times.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Step} Step */

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** The word for its state: its status, or what is finer. @param {Step} step @param {Language} language */
export function stateText(step, language) {
  const conclusion = step.status === "pending" ? undefined : step.conclusion;
  const finer = isStalled(step) ? "step_stalled" : /** @type {const} */ (`step_${conclusion ?? step.status}`);
  return language.text(finer in language.texts ? finer : `step_${step.status}`);
}

/**
 * How long it took, or has been running; "" if it never ran.
 * @param {Step} step
 * @param {number} now_ms
 * @param {Language} language
 * @param {boolean} [isForScripts] Seconds are written as 12.3s in each language.
 */
export function spentText(step, now_ms, language, isForScripts = false) {
  if (step.status === "pending" || step.conclusion === "skipped") return "";
  const ms = elapsed_ms(step, now_ms);
  if (ms >= MINUTE_MS) return language.duration(ms);
  // While it runs, tenths would only flicker.
  const count = step.status === "running" ? String(Math.floor(ms / 1000)) : (Math.floor(ms / 100) / 10).toFixed(1);
  return isForScripts ? `${count}s` : language.text("unit_s", { count });
}

/** How many attempts came before this one. @param {Step} step */
export function formerAttempts(step) {
  return step.status === "pending" ? 0 : (step.attempt ?? 1) - 1;
}

/** @param {Step} step @param {Language} language */
export function attemptText(step, language) {
  const former = formerAttempts(step);
  return former > 0 ? language.text("attempt", { attempt: former + 1 }) : "";
}

/**
 * When it ran, how long it usually takes, and which attempt it is: "14:03:05–14:04:10, usually 50 s, attempt 2".
 * @param {Step} step
 * @param {import("./usual-times.js").Learned} learned
 * @param {Language} language
 */
export function timesText(step, learned, language) {
  const duration_ms = usual_ms(step, learned);
  const key = learned.has(step.name) ? "timeline_usual" : "timeline_expected";
  const said = [
    ranText(step, language),
    duration_ms >= SECOND_MS ? language.text(key, { duration: { duration_ms } }) : "",
    attemptText(step, language),
  ];
  return language.joined(said.filter(Boolean));
}

/** @param {Step} step @param {Language} language */
function ranText(step, language) {
  if (step.status === "pending") return "";
  const from = language.time(Date.parse(step.started_at));
  if (!step.completed_at) return language.text("timeline_since", { from });
  const to = language.time(Date.parse(step.completed_at));
  return from === to ? from : language.text("range", { from, to });
}

/** Since when its worker gives no sign of life; "" if it does. @param {Step} step @param {number} now_ms @param {Language} language */
export function silenceText(step, now_ms, language) {
  if (step.status !== "running" || !isStalled(step)) return "";
  return language.text("stalled", { time: language.moment(Date.parse(step.liveness?.since ?? ""), now_ms) });
}

/**
 * That it is over its limit, unless its worker lives and it may take its time.
 * @param {Step} step
 * @param {import("./usual-times.js").Learned} learned
 * @param {number} now_ms
 * @param {Language} language
 */
export function limitText(step, learned, now_ms, language) {
  const { status, timeout_ms: duration_ms } = step;
  if (status !== "running" || !duration_ms || elapsed_ms(step, now_ms) <= duration_ms) return "";
  if (step.liveness?.state === "live" && duration_ms < 2 * usual_ms(step, learned)) return "";
  return language.text("over_limit", { limit: { duration_ms } });
}

/** How far a running step says it is; null if it has not counted. @param {Step} step */
export function countOf(step) {
  // The parts count what the step's own progress would count; a worker that reports messages alone has counted nothing.
  if (step.status !== "running" || !step.progress || typeof step.parts?.total === "number") return null;
  return step.progress.current > 0 || step.progress.total !== null ? step.progress : null;
}
