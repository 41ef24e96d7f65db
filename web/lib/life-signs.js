/* Whether a session's worker still lives, as far as a page can tell: pure functions, without DOM. */
import { elapsed_ms, isStalled, runningSteps } from "./steps.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Progress} Progress */

/**
 * - `stalled`: the worker promised signs of life, and has given none since then;
 * - `silent`: the worker promised none, and its step is past its limit;
 * - `quiet`: the worker lives, and has had nothing to tell.
 * @typedef {{kind: "stalled", step: number, since_ms: number} | {kind: "silent" | "quiet", silent_ms: number}} LifeSign
 */

/** Past its limit, a step whose last report is younger than this is only slow. */
export const SILENT_MS = 30_000;
/** A living worker need not report more often. */
export const QUIET_MS = 60_000;

const MINUTE_MS = 60_000;

/**
 * What is worth saying about the worker of a running session; null while it reports, or may take its time.
 * @param {SessionState} state
 * @param {number} now_ms
 * @returns {LifeSign | null}
 */
export function lifeSignOf({ data, reported_ms }, now_ms) {
  if (data.status !== "running") return null;
  const running = runningSteps(data);
  const stalled = running.find(isStalled);
  if (stalled) return { kind: "stalled", step: stalled.step, since_ms: Date.parse(stalled.liveness?.since ?? "") };
  const silent_ms = now_ms - reported_ms;
  if (running.some(({ liveness }) => liveness)) return silent_ms >= QUIET_MS ? { kind: "quiet", silent_ms } : null;
  return silent_ms >= SILENT_MS && isOverdue(data, silent_ms, now_ms) ? { kind: "silent", silent_ms } : null;
}

/**
 * @param {LifeSign} sign
 * @param {Progress} data
 * @param {number} now_ms
 * @param {import("./language.js").Language} language
 * @returns {import("./headline.js").Sentence}
 */
export function signSentence(sign, data, now_ms, language) {
  if (sign.kind === "stalled") {
    const key = runningSteps(data).length > 1 ? "stalled_step" : "stalled";
    return { key, values: { step: sign.step, time: language.moment(sign.since_ms, now_ms) } };
  }
  const grain_ms = sign.kind === "quiet" ? MINUTE_MS : 1;
  return { key: sign.kind, values: { duration: { duration_ms: Math.floor(sign.silent_ms / grain_ms) * grain_ms } } };
}

/**
 * Whether a running step is past its limit. Between two steps, the limit is that of the next one.
 * @param {Progress} data
 * @param {number} silent_ms
 * @param {number} now_ms
 */
function isOverdue(data, silent_ms, now_ms) {
  const isPast = (/** @type {number | null | undefined} */ limit_ms, /** @type {number} */ ms) =>
    Boolean(limit_ms) && ms > Number(limit_ms);
  const running = runningSteps(data);
  if (running.length) return running.some((step) => isPast(step.timeout_ms, elapsed_ms(step, now_ms)));
  return isPast(data.steps.find(({ status }) => status === "pending")?.timeout_ms, silent_ms);
}
