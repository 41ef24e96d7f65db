/* How far a session's bar is: pure functions of its data and of the server's time, `now_ms`. */
import { hasStalledStep } from "./steps.js";
import { expected_ms, waiting_ms } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./usual-times.js").Learned} Learned */
/** @typedef {import("./wire.js").Progress} Progress */

/** 100 % comes only with the end: more may follow the last step. */
const MOST_BEFORE_THE_END = 99;

/** By time where that is known. Failed steps are not done. @param {Progress} data @param {Learned} learned */
export function percentageOf(data, learned) {
  if (data.status === "completed") return 100;
  return Math.min(MOST_BEFORE_THE_END, data.time ? percentageByTime(data, learned) : percentageBySteps(data));
}

/** @param {Progress} data @param {Learned} learned */
function percentageByTime(data, learned) {
  const percentage = data.time?.percentage ?? 0;
  if (data.status !== "error") return percentage;
  const done = data.steps.filter(({ status }) => status === "success");
  const done_ms = done.map(({ elapsed_ms }) => elapsed_ms).reduce(plus, 0);
  const left = data.steps.filter(({ status }) => status !== "success");
  const left_ms = left.map((step) => expected_ms(step, data, learned)).reduce(plus, 0);
  if (done_ms + left_ms > 0) return Math.min(percentage, Math.floor((100 * done_ms) / (done_ms + left_ms)));
  // What is left is not known. A percentage that follows from a rate counts the steps at that rate.
  const failed = data.time?.basis === "rate" ? data.steps.filter(({ status }) => status === "error") : [];
  const counted_ms = failed.map(({ elapsed_ms }) => elapsed_ms).reduce(plus, done_ms);
  return counted_ms > 0 ? Math.floor((percentage * done_ms) / counted_ms) : percentage;
}

/** @param {Progress} data */
function percentageBySteps({ steps, total_steps, percentage }) {
  if (!steps.some(({ status }) => status === "error")) return percentage;
  const parts = steps.map((step) => {
    if (step.status === "success") return 1;
    const { current, total } = (step.status === "running" && step.progress) || { current: 0, total: 0 };
    return total ? current / total : 0;
  });
  return Math.floor((100 * parts.reduce(plus, 0)) / total_steps);
}

/** @param {number} sum @param {number} part */
function plus(sum, part) {
  return sum + part;
}

/** Whether the bar moves by itself until the next update. @param {Progress} data */
export function isMoving(data) {
  return data.status === "running" && Boolean(data.time?.finish_at) && !hasStalledStep(data);
}

/**
 * How far the bar has moved since the last update: evenly, so that it would be full when half of all runs have ended. It
 * waits for a step that takes longer, so that those that follow keep their share.
 * @param {SessionState} state
 * @param {number} now_ms
 * @returns {number} Not rounded.
 */
export function percentageAt({ data, updatedPercentage, percentage, reported_ms, known }, now_ms) {
  if (!isMoving(data)) return percentage;
  const end_ms = Date.parse(data.time?.finish_at?.p50 ?? "");
  const passed_ms = Math.min(now_ms, end_ms - waiting_ms(data, known.learned)) - reported_ms;
  if (!(passed_ms > 0)) return percentage;
  const moved = updatedPercentage + ((100 - updatedPercentage) * passed_ms) / (end_ms - reported_ms);
  return Math.max(percentage, Math.min(MOST_BEFORE_THE_END, moved));
}
