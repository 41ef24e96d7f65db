/* The sentences about a session as a whole: pure functions that name a text and its values. No DOM. */
import { hasPercentage } from "./bar-percentage.js";
import { cancellationOf } from "./requests.js";
import { doneSteps, failedSteps, isBetweenSteps, isIdle, runningSteps, startedAt_ms, took_ms } from "./steps.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").SessionRequest} SessionRequest */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./language.js").Values} Values */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {{key: TextKey, values: Values}} Sentence */

const MILESTONE_PERCENT = 25;
const SECOND_MS = 1000;

/**
 * @param {Progress} data
 * @param {object} [more]
 * @param {boolean} [more.isDeleted]
 * @param {(request: SessionRequest | null) => boolean} [more.isOwn] Whether this reader has made a request.
 * @param {number} [more.now_ms] Default: that of the data.
 * @returns {Sentence}
 */
export function headlineOf(data, { isDeleted = false, isOwn = () => false, now_ms = 0 } = {}) {
  if (isDeleted) return { key: "deleted", values: {} };
  if (data.status === "running") return runningHeadline(data, now_ms);
  if (data.status === "error") return failureHeadline(data, isOwn(cancellationOf(data)));
  const took = took_ms(data);
  if (data.status !== "completed" || took < SECOND_MS) return { key: data.status, values: {} };
  return { key: "completed_in", values: { duration: { took_ms: took } } };
}

/** Names the step that was started last, of those that run. @param {Progress} data @param {number} now_ms @returns {Sentence} */
function runningHeadline(data, now_ms) {
  const running = runningSteps(data);
  const named = running.find(({ step }) => step === data.current_step) ?? running.at(-1);
  if (!named && !isBetweenSteps(data)) return { key: "running_none", values: {} };
  if (!named) return isIdle(data, now_ms) ? { key: "idle", values: { steps: countOf(data) } } : countOf(data);
  const { step, name } = named;
  return { key: data.open_ended ? "running_open" : "running", values: { step, total: data.total_steps, name } };
}

/** @param {Progress} data @param {boolean} isOwn @returns {Sentence} */
function failureHeadline(data, isOwn) {
  const key = conclusionOf(data) ?? "error";
  const named = endingStep(data);
  if (isOwn) return { key: "cancelled_by_you", values: {} };
  return named ? { key, values: { step: named.step } } : { key: `${key}_whole`, values: {} };
}

/** The step at which a session in `error` ended; of one that runs, the first that has failed meanwhile. @param {Progress} data */
export function endingStep(data) {
  const conclusion = conclusionOf(data);
  const alike = failedSteps(data).filter((step) => endOf(step) === conclusion);
  return conclusion ? lastEnded(alike) : alike[0];
}

/** What ended a session in `error`, where it was not a plain failure. @param {Progress} data */
export function conclusionOf(data) {
  return data.status === "error" ? endOf(data) : undefined;
}

/** A later server may send other conclusions. @param {{conclusion?: string}} ended A session or a step. */
function endOf({ conclusion }) {
  return conclusion === "cancelled" || conclusion === "lost" ? conclusion : undefined;
}

/** @param {StartedStep[]} steps */
function lastEnded(steps) {
  const end_ms = (/** @type {StartedStep} */ step) => Date.parse(step.completed_at ?? "");
  return steps.reduce((/** @type {StartedStep | undefined} */ last, step) => {
    return last && end_ms(last) > end_ms(step) ? last : step;
  }, undefined);
}

/**
 * For how long a session has been running, or after what time it failed.
 * @param {Progress} data
 * @param {number} now_ms
 * @returns {Sentence | null}
 */
export function elapsedOf(data, now_ms) {
  const [duration_ms, took] = [now_ms - startedAt_ms(data), took_ms(data)];
  if (data.status === "running" && duration_ms >= SECOND_MS && !isIdle(data, now_ms)) {
    return { key: "running_for", values: { duration: { duration_ms } } };
  }
  return data.status === "error" && took >= SECOND_MS
    ? { key: "after", values: { duration: { took_ms: took } } }
    : null;
}

/**
 * How many steps are done, and, at the end, what was special; empty where the headline says it.
 * @param {Progress} data
 * @returns {Sentence[]}
 */
export function countedOf(data) {
  if (!data.total_steps || isBetweenSteps(data)) return [];
  const begun = hasEnded(data) ? data.steps.flatMap((step) => (step.status === "pending" ? [] : [step])) : [];
  const special = /** @type {[TextKey, number][]} */ ([
    ["steps_retried", begun.filter(({ attempt = 1 }) => attempt > 1).length],
    ["steps_skipped", begun.filter(({ conclusion }) => conclusion === "skipped").length],
  ]);
  return [countOf(data), ...special.flatMap(([key, count]) => (count ? [{ key, values: { count } }] : []))];
}

/** How many steps are done; of a session that may get more, how many it has so far. @param {Progress} data @returns {Sentence} */
function countOf(data) {
  const { status, open_ended, total_steps: total } = data;
  const done = doneSteps(data);
  const isClear = status === "pending" || (status === "completed" && done === total);
  const key = open_ended && !hasEnded(data) ? "counted_open" : isClear ? "counted_all" : "counted";
  return { key: total === 1 ? `${key}_one` : `${key}_other`, values: { done, total } };
}

/** @param {Progress} data */
function hasEnded({ status }) {
  return status === "completed" || status === "error";
}

/**
 * The text about a retry, if there is one.
 * @param {SessionState} state
 * @returns {Sentence | null}
 */
export function retryOf({ retried, isSetBack }) {
  return retried ? { key: isSetBack ? "set_back" : "retried", values: { step: retried } } : null;
}

/** @param {number} percentage */
export function quarterOf(percentage) {
  return Math.floor(percentage / MILESTONE_PERCENT);
}

/**
 * The change since `before`, if it should be announced. A failure has an alert of its own.
 * @param {SessionState} before
 * @param {SessionState} state
 * @returns {Sentence | null}
 */
export function milestoneOf(before, state) {
  const { data, percentage, retried, isDeleted } = state;
  if (retried && retried !== before.retried) return retryOf(state);
  const isChanged = data.status !== before.data.status;
  const isNextStep = data.status === "running" && (isChanged || data.current_step !== before.data.current_step);
  if (isNextStep || (isChanged && (data.status === "completed" || isDeleted))) return headlineOf(data, { isDeleted });
  const quarter = quarterOf(percentage);
  const isFurther = data.status === "running" && hasPercentage(data) && quarter > quarterOf(before.percentage);
  return isFurther ? { key: "milestone", values: { percentage: quarter * MILESTONE_PERCENT } } : null;
}
