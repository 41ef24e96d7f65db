/** @typedef {import("../lib/wire.js").Progress} Progress */

/**
 * The session's data after a transition.
 * @param {Progress} data
 * @param {import("../lib/wire.js").StepEvent} event
 * @returns {Progress}
 */
export function fold(data, { step, session }) {
  const { session_id, current_step, total_steps, status, ...rest } = session;
  const steps = data.steps.map((entry) => (entry.step === step.step ? step : entry));
  return { session_id, current_step, total_steps, status, steps, ...rest };
}
