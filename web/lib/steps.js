/* Facts about steps: pure functions of the data and of the server's time, `now_ms`. */

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {import("./wire.js").Step} Step */

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
