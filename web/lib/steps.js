/* Facts about steps: pure functions of the data and of the server's time, `now_ms`. */

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {import("./wire.js").Step} Step */

/** Between two steps for so long, nothing is said to run. */
export const IDLE_MS = 60_000;

/** @param {Step | undefined} step */
export function startedAt(step) {
  return step && step.status !== "pending" ? step.started_at : null;
}

/** @param {Step} step @param {number} now_ms */
export function elapsed_ms(step, now_ms) {
  if (step.status !== "running") return step.elapsed_ms;
  return Math.max(0, now_ms - Date.parse(step.started_at ?? "")) || 0;
}

/** From the first start to the last end. @param {Pick<Progress, "steps">} data */
export function took_ms(data) {
  const start_ms = startedAt_ms(data);
  const ends = data.steps.map((step) => (step.status === "pending" ? NaN : Date.parse(step.completed_at ?? "")));
  return Number.isNaN(start_ms) ? 0 : Math.max(0, Math.max(...ends.filter(Number.isFinite)) - start_ms);
}

/** When the first step started. @param {Pick<Progress, "steps">} data @returns {number} NaN: none has. */
export function startedAt_ms({ steps }) {
  const starts = steps.map((step) => Date.parse(startedAt(step) ?? "")).filter(Number.isFinite);
  return starts.length ? Math.min(...starts) : NaN;
}

/** When a step was last started or ended. @param {Pick<Progress, "steps">} data @returns {number} 0: none was. */
export function lastTransition_ms({ steps }) {
  const times = steps.flatMap((step) => (step.status === "pending" ? [] : [step.started_at, step.completed_at]));
  return Math.max(0, ...times.map((time) => Date.parse(time ?? "") || 0));
}

/** Whether no step of a running session runs, and some have ended; one that was skipped never began. @param {Progress} data */
export function isBetweenSteps(data) {
  const { status, steps } = data;
  const hasEnded = steps.some((step) => step.status !== "pending" && step.conclusion !== "skipped");
  return status === "running" && hasEnded && !runningSteps(data).length;
}

/** Whether it has been so for long, and the session no longer looks alive. @param {Progress} data @param {number} now_ms */
export function isIdle(data, now_ms) {
  return isBetweenSteps(data) && now_ms - lastTransition_ms(data) >= IDLE_MS;
}

/** @param {Pick<Progress, "steps">} data */
export function runningSteps({ steps }) {
  return steps.flatMap((step) => (step.status === "running" ? [/** @type {StartedStep} */ (step)] : []));
}

/** @param {Pick<Progress, "steps">} data */
export function failedSteps({ steps }) {
  return steps.flatMap((step) => (step.status === "error" ? [step] : []));
}

/** How many steps have succeeded or were skipped. @param {Pick<Progress, "steps">} data */
export function doneSteps({ steps }) {
  return steps.filter(({ status }) => status === "success").length;
}

/** Whether the worker of a running step gives no sign of life. @param {Pick<Progress, "steps">} data */
export function hasStalledStep({ steps }) {
  return steps.some(isStalled);
}

/** @param {Step} step */
export function isStalled(step) {
  return step.status === "running" && step.liveness?.state === "stalled";
}
