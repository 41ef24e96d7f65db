/** @typedef {import("../../lib/wire.js").Progress} Progress */

/**
 * A poll's answer with three steps, of which the first `done` are done.
 * @param {number} done
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function progress(done, changes = {}) {
  const steps = [1, 2, 3].map((step) => (step <= done ? doneStep(step) : pendingStep(step)));
  return {
    session_id: "job",
    current_step: done,
    total_steps: 3,
    status: done === 3 ? "completed" : "running",
    steps,
    percentage: Math.floor((100 * done) / 3),
    estimated_remaining_ms: 30_000 * (3 - done),
    ...changes,
  };
}

/** @param {number} step @returns {import("../../lib/wire.js").PendingStep} */
const pendingStep = (step) => ({ step, name: `STEP${step}`, status: "pending", elapsed_ms: 0, timeout_ms: 120_000 });

/** @param {number} step @returns {import("../../lib/wire.js").StartedStep} */
const doneStep = (step) => ({
  step,
  name: `STEP${step}`,
  status: "success",
  started_at: "2026-01-01T00:00:00.000001+00:00",
  completed_at: "2026-01-01T00:00:01.000001+00:00",
  elapsed_ms: 1000,
  timeout_ms: 120_000,
  message: "",
  error: "",
});

/**
 * The `step` event that leads to `progress(done)`.
 * @param {number} done
 * @param {Partial<import("../../lib/wire.js").SessionSummary>} [changes]
 * @returns {import("../../lib/wire.js").StepEvent}
 */
export function stepEvent(done, changes = {}) {
  const { steps: _, ...session } = progress(done);
  const summary = /** @type {import("../../lib/wire.js").SessionSummary} */ ({ ...session, ...changes });
  return { step: doneStep(done), session: summary };
}

export const notFound = progress(0, { total_steps: 0, status: "not_found", steps: [], estimated_remaining_ms: 0 });

/** @param {Progress} data @param {Record<string, string>} [headers] */
export const ok = (data, headers = {}) => Response.json(data, { headers });

/** @param {number} status @param {Record<string, string>} [headers] */
export const status = (status, headers = {}) => new Response(null, { status, headers });
