/* What steps usually take: pure functions of a session's data, and of what the server knows beside it. */
import { elapsed_ms, runningSteps } from "./steps.js";

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./wire.js").StepDefinition} StepDefinition */
/** @typedef {ReadonlyMap<string, number>} Learned Milliseconds that steps usually take, by their names. */

/**
 * @typedef {object} KnownSteps
 * @property {readonly Pick<StepDefinition, "step" | "name" | "estimated_ms">[]} own The server's own steps; empty while they are not known.
 * @property {Learned} learned From earlier runs of the session's job.
 */

/** @type {KnownSteps} */
export const NOTHING_KNOWN = { own: [], learned: new Map() };

/** @param {readonly Pick<StepDefinition, "name" | "learned">[]} definitions Of a session. @returns {Learned} */
export function learnedFrom(definitions) {
  return new Map(definitions.flatMap(({ name, learned }) => (learned ? [[name, learned.p50_ms]] : [])));
}

/** What a step usually takes. @param {Step} step @param {Learned} learned @returns {number} NaN: not known. */
export function usual_ms(step, learned) {
  return learned.get(step.name) ?? step.estimated_ms ?? NaN;
}

/**
 * What the server expects of a step. What it learned counts more than what was declared, and this page may not know it.
 * @param {Step} step
 * @param {Pick<Progress, "time">} data
 * @param {Learned} learned
 * @returns {number} NaN: not known.
 */
export function expected_ms(step, { time }, learned) {
  return time?.basis === "history" && !learned.size ? NaN : usual_ms(step, learned);
}

/** The least time that is left, as far as it is known: that of the steps that have not begun. @param {Pick<Progress, "steps" | "time">} data @param {Learned} learned */
export function waiting_ms(data, learned) {
  const waiting = data.steps.filter(({ status }) => status === "pending");
  return waiting.reduce((sum, step) => sum + (expected_ms(step, data, learned) || 0), 0);
}

/**
 * What is left of the steps that run side by side: of their usual time, or at their rate.
 * @param {Progress} data
 * @param {Learned} learned
 * @param {number} now_ms
 * @returns {number} NaN: not known.
 */
export function runningLeft_ms(data, learned, now_ms) {
  return Math.max(0, ...runningSteps(data).map((step) => stepLeft_ms(step, learned, now_ms)));
}

/** @param {import("./wire.js").StartedStep} step @param {Learned} learned @param {number} now_ms */
function stepLeft_ms(step, learned, now_ms) {
  const spent_ms = elapsed_ms(step, now_ms);
  const usually_ms = usual_ms(step, learned);
  if (!Number.isNaN(usually_ms)) return Math.max(0, usually_ms - spent_ms);
  const { current, total } = step.progress ?? { current: 0, total: null };
  return current && total ? (spent_ms * (total - current)) / current : NaN;
}
