/* How much time a session has left: pure functions of its state and of the server's time, `now_ms`. */
import { elapsed_ms, hasStalledStep, runningSteps, startedAt_ms } from "./steps.js";
import { waiting_ms } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").Step} Step */

/**
 * What is left in half of all runs, and in nine of ten. Where these have all ended sooner, it takes longer than usual;
 * where that was only declared, longer than expected. null: not known.
 * @typedef {{p50_ms: number, p90_ms: number} | "longer_than_usual" | "longer_than_expected" | null} TimeLeft
 */

const MIN_GRACE_MS = 2000;
/** One in so many parts of the whole. */
const GRACE_PART = 20;

/** By how much a time is exceeded before that is said, so that the words do not change back with the next report. @param {number} whole_ms */
const grace_ms = (whole_ms) => Math.max(MIN_GRACE_MS, whole_ms / GRACE_PART);

/** @param {SessionState} state @param {number} now_ms @returns {TimeLeft} */
export function timeLeft(state, now_ms) {
  if (state.data.status !== "running") return null;
  const { data, known } = state;
  return data.time ? leftByTime(data, known.learned, startedAt_ms(data), now_ms) : leftByEstimates(state, now_ms);
}

/**
 * @param {Pick<Progress, "steps" | "time">} data
 * @param {import("./usual-times.js").Learned} learned
 * @param {number} begin_ms When it began.
 * @param {number} now_ms
 * @returns {TimeLeft}
 */
export function leftByTime(data, learned, begin_ms, now_ms) {
  const finishAt = data.time?.finish_at;
  if (!finishAt || hasStalledStep(data)) return null;
  const end_ms = Date.parse(finishAt.p90);
  const [p50_ms, p90_ms] = [Date.parse(finishAt.p50) - now_ms, end_ms - now_ms];
  const least_ms = waiting_ms(data, learned);
  // A step that takes too long does not shorten those that follow.
  if (p90_ms + grace_ms(end_ms - begin_ms) < (runningSteps(data).length ? least_ms : 0)) {
    return data.time?.basis === "history" ? "longer_than_usual" : "longer_than_expected";
  }
  return { p50_ms: Math.max(p50_ms, least_ms), p90_ms: Math.max(p90_ms, least_ms) };
}

/**
 * By the estimates of the server's own steps. It never grows unless a step is retried, or steps are added.
 * @param {SessionState} state
 * @param {number} now_ms
 * @returns {TimeLeft}
 */
function leftByEstimates(state, now_ms) {
  const step = runningStep(state);
  const expected_ms = step ? estimate_ms(state, step) : Infinity;
  if (step && elapsed_ms(step, now_ms) > expected_ms + grace_ms(expected_ms)) return "longer_than_expected";
  const left_ms = Math.min(state.leastLeft_ms, estimatedLeft_ms(state, now_ms));
  return (left_ms > 0 || step) && left_ms < Infinity ? { p50_ms: left_ms, p90_ms: left_ms } : null;
}

/** @param {SessionState} state @param {number} now_ms @returns {number} Infinity: not known. */
export function estimatedLeft_ms(state, now_ms) {
  if (!hasOwnSteps(state)) return Infinity;
  const step = runningStep(state);
  const left_ms = step ? Math.max(0, estimate_ms(state, step) - elapsed_ms(step, now_ms)) : 0;
  return state.data.estimated_remaining_ms + left_ms;
}

/** Whether the session may consist of the server's own steps, whose estimates are not in its data. @param {SessionState} state */
export function needsOwnSteps({ data }) {
  const { status, steps, time, open_ended } = data;
  const isDeclared = steps.some(({ estimated_ms }) => estimated_ms !== undefined);
  return status === "running" && !time && !open_ended && !isDeclared;
}

/** Whether the session consists of the server's own steps. A job that brought steps of its own has no other estimates. @param {SessionState} state */
function hasOwnSteps(state) {
  const { data, known } = state;
  const left = known.own.slice(data.current_step);
  return (
    needsOwnSteps(state) &&
    known.own.length === data.total_steps &&
    data.steps.every(({ name }, index) => name === known.own[index]?.name) &&
    left.reduce((sum, step) => sum + (step.estimated_ms ?? NaN), 0) === data.estimated_remaining_ms
  );
}

/** @param {SessionState} state @returns {Step | undefined} The current step, if it runs. */
function runningStep({ data }) {
  const step = data.steps[data.current_step - 1];
  return step?.status === "running" ? step : undefined;
}

/** @param {SessionState} state @param {Step} step */
function estimate_ms(state, { step }) {
  return hasOwnSteps(state) ? (state.known.own[step - 1]?.estimated_ms ?? Infinity) : Infinity;
}
