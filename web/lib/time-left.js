/* How much time a session has left: pure functions of its state and of the server's time, `now_ms`. */
import { elapsed_ms } from "./steps.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Step} Step */
/** @typedef {{total_steps: number, steps: {step: number, name: string, estimated_ms: number}[]}} Definitions */

/** @param {SessionState} state @returns {Step | undefined} The current step, if it runs. */
function runningStep({ data }) {
  const step = data.steps[data.current_step - 1];
  return data.status === "running" && step?.status === "running" ? step : undefined;
}

/** @param {SessionState} state @param {number} step @returns {number} NaN: not known. */
function estimate_ms({ remaining_ms }, step) {
  return (remaining_ms.get(step - 1) ?? NaN) - (remaining_ms.get(step) ?? NaN);
}

/** @param {SessionState} state @param {number} now_ms @returns {number} Infinity: not known. */
export function estimatedLeft_ms(state, now_ms) {
  const step = runningStep(state);
  const left_ms = step ? Math.max(0, estimate_ms(state, step.step) - elapsed_ms(step, now_ms)) : 0;
  return Number.isNaN(left_ms) ? Infinity : state.data.estimated_remaining_ms + left_ms;
}

/**
 * The time left. It never grows unless a step is retried, or steps are added.
 * @param {SessionState} state
 * @param {number} now_ms
 * @returns {number | "longer" | null} `longer`: the step is past its estimate. null: no estimate.
 */
export function timeLeft(state, now_ms) {
  if (state.data.status !== "running") return null;
  const step = runningStep(state);
  if (step && elapsed_ms(step, now_ms) > estimate_ms(state, step.step)) return "longer";
  const left_ms = Math.min(state.leastLeft_ms, estimatedLeft_ms(state, now_ms));
  return left_ms > 0 && left_ms < Infinity ? left_ms : null;
}

/** Whether the step definitions may give an estimate that a page opened midway has missed. @param {SessionState} state */
export function needsDefinitions(state) {
  const step = runningStep(state);
  return !state.data.open_ended && step !== undefined && Number.isNaN(estimate_ms(state, step.step));
}

/**
 * @param {SessionState} state
 * @param {Definitions} definitions The server's own; the session may have been created with others.
 * @returns {SessionState}
 */
export function withDefinitions(state, { total_steps, steps }) {
  const { data } = state;
  const remaining_ms = new Map();
  let sum_ms = 0;
  for (const { step, estimated_ms } of [...steps].reverse()) {
    remaining_ms.set(step, sum_ms);
    sum_ms += estimated_ms;
    remaining_ms.set(step - 1, sum_ms);
  }
  const fit =
    total_steps === data.total_steps &&
    remaining_ms.get(data.current_step) === data.estimated_remaining_ms &&
    data.steps.every(({ name }, index) => name === steps[index]?.name);
  return fit ? { ...state, remaining_ms } : state;
}
