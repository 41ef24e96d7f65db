/* The sentences about a session as a whole: pure functions that name a text and its values. No DOM. */
import { cancellationOf } from "./requests.js";
import { doneSteps, failedSteps, took_ms } from "./steps.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").SessionRequest} SessionRequest */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./language.js").Values} Values */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {{key: TextKey, values: Values}} Sentence */

const MILESTONE_PERCENT = 25;
const SECOND_MS = 1000;

/**
 * @param {Progress} data
 * @param {boolean} [isDeleted]
 * @param {(request: SessionRequest | null) => boolean} [isOwn] Whether this reader has made a request.
 * @returns {Sentence}
 */
export function headlineOf(data, isDeleted = false, isOwn = () => false) {
  const { current_step: step, total_steps: total } = data;
  if (isDeleted) return { key: "deleted", values: {} };
  if (data.status === "error") return isOwn(cancellationOf(data)) ? ownCancellation(data) : failureHeadline(data);
  if (data.status === "completed") {
    const duration_ms = took_ms(data);
    return duration_ms >= SECOND_MS
      ? { key: "completed_in", values: { duration: { duration_ms } } }
      : { key: "completed", values: {} };
  }
  const key = data.status === "running" && data.open_ended ? "running_open" : data.status;
  return { key, values: { step, total, name: data.steps[step - 1]?.name ?? "" } };
}

/** @param {Progress} data @returns {Sentence} */
function ownCancellation(data) {
  const done = doneSteps(data);
  if (!done) return { key: "cancelled_by_you", values: {} };
  return { key: "cancelled_by_you_after", values: { done, total: data.total_steps } };
}

/** @param {Progress} data @returns {Sentence} */
function failureHeadline(data) {
  const [conclusion, failed] = [conclusionOf(data), failedSteps(data)];
  const key = conclusion ?? "error";
  const named = conclusion ? lastEnded(failed) : (failed.find(failedPlainly) ?? failed[0]);
  if (!failedPlainly(data) || !named) return { key: `${key}_whole`, values: {} };
  return { key, values: { step: named.step } };
}

/**
 * What ended a session in `error`, where it was not a plain failure. A session that does not say it ended as the step
 * that ended last, unless one of its steps failed plainly.
 * @param {Progress} data
 * @returns {"cancelled" | "lost" | undefined}
 */
export function conclusionOf(data) {
  const failed = failedSteps(data);
  if (data.status !== "error") return undefined;
  if (!failedPlainly(data)) return data.conclusion;
  const conclusion = failed.some(failedPlainly) ? undefined : lastEnded(failed)?.conclusion;
  return conclusion === "skipped" ? undefined : conclusion;
}

/** Also what a later server may say. @param {{conclusion?: string}} failed A session or a step. */
function failedPlainly({ conclusion }) {
  return conclusion !== "cancelled" && conclusion !== "lost";
}

/** @param {StartedStep[]} steps */
function lastEnded(steps) {
  const end_ms = (/** @type {StartedStep} */ step) => Date.parse(step.completed_at ?? "");
  return steps.reduce((/** @type {StartedStep | undefined} */ last, step) => {
    return last && end_ms(last) > end_ms(step) ? last : step;
  }, undefined);
}

/** How many steps are done, so far if others may be added. @param {Progress} data @param {Language} language @returns {Sentence} */
export function countedOf(data, language) {
  const { open_ended, status, total_steps: total } = data;
  if (total === 0) return { key: "counted_none", values: {} };
  const isOpen = open_ended && status !== "completed" && status !== "error";
  return { key: language.plural(isOpen ? "counted_open" : "counted", total), values: { done: doneSteps(data), total } };
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
  if (isNextStep || (isChanged && (data.status === "completed" || isDeleted))) return headlineOf(data, isDeleted);
  const quarter = quarterOf(percentage);
  const isFurther = data.status === "running" && quarter > quarterOf(before.percentage);
  return isFurther ? { key: "milestone", values: { percentage: quarter * MILESTONE_PERCENT } } : null;
}
