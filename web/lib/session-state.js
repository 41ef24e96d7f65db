/*
 * What a page knows of a session: pure functions of its data and of the server's time, `now_ms`. The server sends the
 * present data only; a SessionState also keeps the necessary facts about earlier updates. No DOM.
 */
import { percentageAt, percentageOf } from "./bar-percentage.js";
import { lastTransition_ms, startedAt } from "./steps.js";
import { estimatedLeft_ms } from "./time-left.js";
import { NOTHING_KNOWN } from "./usual-times.js";

/** @typedef {import("./wire.js").Progress} Progress */

/**
 * @typedef {object} SessionState
 * @property {Progress} data
 * @property {string} json The data as JSON, which shows whether an update changes anything.
 * @property {number} percentage As shown, by time where that is known: it falls only when a step is retried or
 *   fails, or when steps are added.
 * @property {number} updatedPercentage As shown at the last change of the data.
 * @property {number} retried The step that is being retried; 0: none.
 * @property {boolean} isSetBack The bar fell when the step was retried.
 * @property {boolean} isDeleted The session existed, and no longer does.
 * @property {number} run How many runs were seen, with this one.
 * @property {number} reported_ms When the worker last reported.
 * @property {number} verified_ms When the data was last known to be current.
 * @property {number} leastLeft_ms The least time left that was shown since the last retry.
 * @property {import("./usual-times.js").KnownSteps} known What the server knows of such steps.
 */

/**
 * @param {SessionState | null} before
 * @param {Progress} data Known to be current.
 * @param {number} now_ms
 * @returns {SessionState}
 */
export function nextState(before, data, now_ms) {
  return movedOn(updatedState(before, data, now_ms), now_ms);
}

/** The state as time passes: the bar moves by itself. @param {SessionState} state @param {number} now_ms */
export function movedOn(state, now_ms) {
  const percentage = Math.floor(percentageAt(state, now_ms));
  return percentage > state.percentage ? { ...state, percentage } : state;
}

/**
 * The state once more is known of its steps, which may set the bar back to where it has to wait.
 * @param {SessionState} state
 * @param {Partial<SessionState["known"]>} known
 * @param {number} now_ms
 */
export function knowing(state, known, now_ms) {
  const { updatedPercentage: percentage } = state;
  return movedOn({ ...state, percentage, known: { ...state.known, ...known } }, now_ms);
}

/** @param {SessionState | null} before @param {Progress} data @param {number} now_ms @returns {SessionState} */
function updatedState(before, data, now_ms) {
  const json = JSON.stringify(data);
  if (!before || isAnotherRun(before.data, data)) return firstState(before, data, json, now_ms);
  const leastLeft_ms = Math.min(before.leastLeft_ms, estimatedLeft_ms(before, now_ms));
  if (json === before.json) return { ...before, verified_ms: now_ms, leastLeft_ms };
  const retried = retriedStep(before.data, data);
  const hasMoreSteps = hasGrown(before.data, data);
  const reported = percentageOf(data);
  const isRunning = (/** @type {number} */ step) => data.steps[step - 1]?.status === "running";
  const isRestarted = isRunning(retried); // If not, the retry began and ended between two updates.
  const isRetrying = isRestarted || isRunning(before.retried);
  const mayFall = retried > 0 || hasMoreSteps || hasFailedSince(before.data, data);
  const percentage = mayFall ? reported : Math.max(reported, before.percentage);
  return {
    data,
    json,
    percentage,
    updatedPercentage: percentage,
    retried: isRetrying ? (isRestarted ? retried : before.retried) : 0,
    isSetBack: isRestarted ? reported < before.percentage : isRetrying && before.isSetBack,
    isDeleted: Boolean(data.gone),
    run: before.run,
    reported_ms: reported_ms(before, data, now_ms),
    verified_ms: now_ms,
    leastLeft_ms: retried || hasMoreSteps ? Infinity : leastLeft_ms,
    known: before.known,
  };
}

/**
 * @param {SessionState | null} before Of another run.
 * @param {Progress} data
 * @param {string} json
 * @param {number} now_ms
 * @returns {SessionState}
 */
function firstState(before, data, json, now_ms) {
  const isReporting = data.steps.some((step) => step.status === "running" && step.progress);
  const known = { ...(before?.known ?? NOTHING_KNOWN), learned: NOTHING_KNOWN.learned };
  const percentage = percentageOf(data);
  return {
    data,
    json,
    percentage,
    updatedPercentage: percentage,
    retried: 0,
    isSetBack: false,
    isDeleted: data.status === "not_found" && (Boolean(data.gone) || before !== null),
    run: (before?.run ?? 0) + 1,
    reported_ms: isReporting ? now_ms : lastTransition_ms(data) || now_ms,
    verified_ms: now_ms,
    leastLeft_ms: Infinity,
    known,
  };
}

/**
 * The report came between two updates. A transition has its time, a report of progress has none.
 * @param {SessionState} before
 * @param {Progress} data
 * @param {number} now_ms
 */
function reported_ms(before, data, now_ms) {
  const last_ms = lastTransition_ms(data);
  const isTransition = last_ms > lastTransition_ms(before.data);
  return isTransition ? Math.min(now_ms, Math.max(before.verified_ms, last_ms)) : now_ms;
}

/**
 * Whether the session was replaced or deleted, has just been created, or has begun anew after its end.
 * @param {Progress} before
 * @param {Progress} data
 */
function isAnotherRun(before, data) {
  const started = before.steps.filter(startedAt);
  const isGone = started.some(({ step }) => !startedAt(data.steps[step - 1]));
  const isAnew = started.every((step) => startedAt(step) !== startedAt(data.steps[step.step - 1]));
  return (
    (before.status === "not_found") !== (data.status === "not_found") ||
    (before.total_steps !== data.total_steps && !hasGrown(before, data)) ||
    isGone ||
    (before.status === "completed" && started.length > 0 && isAnew)
  );
}

/** Whether steps were added. @param {Progress} before @param {Progress} data */
function hasGrown(before, data) {
  return before.open_ended === true && data.open_ended === true && data.total_steps > before.total_steps;
}

/** @param {Progress} before @param {Progress} data */
function retriedStep(before, data) {
  const retried = data.steps.find((step, index) => {
    const started = startedAt(before.steps[index]);
    return started && started !== startedAt(step);
  });
  return retried?.step ?? 0;
}

/** @param {Progress} before @param {Progress} data */
function hasFailedSince(before, data) {
  return data.steps.some((step, index) => step.status === "error" && before.steps[index]?.status !== "error");
}
