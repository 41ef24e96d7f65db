/* Sessions of three steps, and the states that a page has of them. */
import { knowing, nextState } from "../../lib/session-state.js";

/** @typedef {import("../../lib/wire.js").Progress} Progress */
/** @typedef {import("../../lib/wire.js").StartedStep} StartedStep */
/** @typedef {import("../../lib/session-state.js").SessionState} SessionState */

export const T0 = Date.parse("2026-01-01T00:00:00+00:00");
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const ESTIMATES = [60_000, 30_000, 30_000];

/** @param {number} ms */
export const iso = (ms) => new Date(T0 + ms).toISOString();

/**
 * A session of three steps; those not given are pending.
 * @param {Partial<StartedStep>[]} started
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function session(started, changes = {}) {
  const steps = ESTIMATES.map((_, index) => {
    const step = { step: index + 1, name: `STEP${index + 1}`, elapsed_ms: 0, timeout_ms: 120_000 };
    const given = started[index];
    if (!given) return { ...step, status: /** @type {const} */ ("pending"), elapsed_ms: /** @type {const} */ (0) };
    return {
      ...step,
      status: /** @type {const} */ ("running"),
      started_at: iso(0),
      completed_at: null,
      message: "",
      error: "",
      ...given,
    };
  });
  const current_step = changes.current_step ?? started.length;
  return {
    session_id: "job",
    current_step,
    total_steps: 3,
    status: started.length ? "running" : "pending",
    steps,
    percentage: Math.floor((100 * started.filter((step) => step.status === "success").length) / 3),
    estimated_remaining_ms: ESTIMATES.slice(current_step).reduce((sum, ms) => sum + ms, 0),
    ...changes,
  };
}

/** @type {Progress} */
export const absent = { ...session([]), status: "not_found", total_steps: 0, steps: [], estimated_remaining_ms: 0 };

/** The state after some updates. @param {...[number, Progress]} updates Milliseconds, and data. */
export function after(...updates) {
  return afterKnowing({}, ...updates);
}

/**
 * The state after some updates, on a page that knows more of the steps.
 * @param {Partial<SessionState["known"]>} known
 * @param {...[number, Progress]} updates Milliseconds, and data.
 */
export function afterKnowing(known, ...updates) {
  /** @type {SessionState | null} */
  let state = null;
  for (const [ms, data] of updates) {
    state = knowing(nextState(state, data, T0 + ms), known, T0 + ms);
  }
  return /** @type {SessionState} */ (/** @type {unknown} */ (state));
}

/** The server's own steps, of which `session` makes one. */
export const OWN = ESTIMATES.map((estimated_ms, index) => ({
  step: index + 1,
  name: `STEP${index + 1}`,
  estimated_ms,
}));

/**
 * A session of three steps that declared what they take, as ESTIMATES has it.
 * @param {Partial<StartedStep>[]} started
 * @param {{percentage?: number, p50_ms?: number, p90_ms?: number, basis?: "declared" | "rate" | "history"}} time When it
 *   ends, from T0 on; `p90_ms` is `p50_ms` unless given, and without that there is no `finish_at`.
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function timedSession(started, { percentage = 0, p50_ms, p90_ms = p50_ms, basis = "declared" }, changes = {}) {
  const data = session(started, changes);
  const steps = data.steps.map((step, index) => ({ ...step, estimated_ms: ESTIMATES[index] ?? NaN }));
  const finish_at = p50_ms === undefined ? null : { p50: iso(p50_ms), p90: iso(p90_ms ?? NaN) };
  return { ...data, steps, time: { percentage, finish_at, basis, runs: 0 } };
}

export const done = (/** @type {number} */ ms) => ({
  status: /** @type {const} */ ("success"),
  started_at: iso(0),
  completed_at: iso(ms),
  elapsed_ms: ms,
});

/**
 * An open-ended session that has exactly these steps.
 * @param {Partial<StartedStep>[]} started
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function openSession(started, changes = {}) {
  const { steps, ...rest } = session(started);
  const total_steps = started.length;
  const known = { total_steps, steps: steps.slice(0, total_steps), estimated_remaining_ms: 0 };
  return { ...rest, ...known, open_ended: true, ...changes };
}
