/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").Step} Step */

/**
 * The session's data after a `step` or a `session` event, key for key as a poll has it.
 * @param {Progress} data
 * @param {import("../lib/wire.js").StepEvent | import("../lib/wire.js").SessionEvent} event
 * @returns {Progress}
 */
export function fold(data, event) {
  const { session_id, current_step, total_steps, status, steps: _, ...rest } = /** @type {Progress} */ (event.session);
  const steps = "step" in event ? withStep(data.steps, event.step) : data.steps;
  return { session_id, current_step, total_steps, status, steps, ...rest };
}

/** @param {Step[]} steps @param {Step} changed One of them, or the one after the last. @returns {Step[]} */
function withStep(steps, changed) {
  if (changed.step === steps.length + 1) return [...steps, changed];
  return steps.map((step) => (step.step === changed.step ? changed : step));
}
