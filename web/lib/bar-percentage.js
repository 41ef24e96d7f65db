/* How far a session's bar is: pure functions of its data and of the server's time, `now_ms`. */
import { doneSteps, failedSteps, hasStalledStep, runningSteps } from "./steps.js";
import { waiting_ms } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./usual-times.js").Learned} Learned */
/** @typedef {import("./wire.js").Progress} Progress */

/** 100 % comes only with the end: more may follow the last step. */
const MOST_BEFORE_THE_END = 99;

/** @typedef {import("./wire.js").ListedSession} ListedSession */

/** @typedef {Pick<Progress, "status" | "total_steps" | "percentage" | "time">} Shown */

/** A session, or an entry of a list, which has no steps. @typedef {Shown & ((Pick<Progress, "steps"> & { steps_done?: undefined }) | (Pick<ListedSession, "steps_done"> & { steps?: undefined }))} Drawn */

/** Whether it is drawn with a number: one that may get more steps is not, unless its time is known. @param {Pick<Progress, "status" | "open_ended" | "time">} data */
export function hasPercentage({ status, open_ended, time }) {
  return status === "completed" || Boolean(time) || !open_ended;
}

/** By time where that is known, else by its steps. @param {Drawn} data */
export function percentageOf(data) {
  if (data.status === "completed") return 100;
  return Math.min(MOST_BEFORE_THE_END, data.time?.percentage ?? percentageBySteps(data));
}

/** The share of successes and of what running steps report. In `percentage` failed steps count as well. @param {Drawn} data */
function percentageBySteps(data) {
  const done = data.steps && failedSteps(data).length ? shareDone(data) : data.steps_done;
  // In hundredths, cut, as lists have it: in floating point 0.29 of a step would have 28.
  return done === undefined ? data.percentage : Math.floor(Math.floor(100 * done + 1e-9) / data.total_steps);
}

/** @param {Pick<Progress, "steps">} data */
function shareDone(data) {
  const shares = runningSteps(data).map(({ progress }) => (progress?.total ? progress.current / progress.total : 0));
  return shares.reduce((sum, share) => sum + share, doneSteps(data));
}

/** Whether the bar moves by itself until the next update. @param {Pick<Progress, "status" | "steps" | "time">} data */
export function isMoving(data) {
  return data.status === "running" && Boolean(data.time?.finish_at) && !hasStalledStep(data);
}

/**
 * The percentage that was known at `reported_ms`, as it is by now. It moves evenly, so that it would be full when half of
 * all runs have ended. It waits for a step that takes longer, so that those that follow keep their share.
 * @param {number} known
 * @param {Pick<Progress, "status" | "steps" | "time">} data
 * @param {Learned} learned
 * @param {number} reported_ms
 * @param {number} now_ms
 * @returns {number} Not rounded.
 */
export function moved(known, data, learned, reported_ms, now_ms) {
  if (!isMoving(data)) return known;
  const end_ms = Date.parse(data.time?.finish_at?.p50 ?? "");
  const passed_ms = Math.min(now_ms, end_ms - waiting_ms(data, learned)) - reported_ms;
  if (!(passed_ms > 0)) return known;
  const byNow = known + ((100 - known) * passed_ms) / (end_ms - reported_ms);
  return Math.max(known, Math.min(MOST_BEFORE_THE_END, byNow));
}

/** How far the bar of a session has moved since the last update. @param {SessionState} state @param {number} now_ms */
export function percentageAt({ data, updatedPercentage, percentage, reported_ms, known }, now_ms) {
  return Math.max(percentage, moved(updatedPercentage, data, known.learned, reported_ms, now_ms));
}
