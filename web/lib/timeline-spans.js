/* When each step of a session ran, on one time axis: pure functions. */
import { elapsed_ms } from "./steps.js";
import { usual_ms } from "./usual-times.js";

/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./wire.js").StartedStep} StartedStep */
/** @typedef {import("./usual-times.js").Learned} Learned */
/**
 * `start` and the lengths are fractions of the axis. A step is expected to take `expected_ms`, NaN where that is not
 * known; `isUsual`, if it usually does, by earlier runs.
 * @typedef {{step: StartedStep, start: number, length: number, expectedLength: number, expected_ms: number, isUsual: boolean}} Span
 */

/** What the duration behind a bar rests on: earlier runs, or a declaration. @typedef {"usual" | "expected"} Kind */

/** On a shorter axis a brief step would look long. */
const MIN_AXIS_MS = 4000;
/** The width of an instant. */
const MIN_LENGTH = 0.01;

/**
 * @param {Step[]} steps
 * @param {number} now_ms
 * @param {Learned} [learned]
 * @returns {{spans: Span[], axis_ms: number}}
 */
export function spansOf(steps, now_ms, learned = new Map()) {
  const started = steps.flatMap((step) => (step.status === "pending" || !step.started_at ? [] : [step]));
  const times = started.map((step) => {
    const from_ms = Date.parse(step.started_at ?? "");
    const [to_ms, expected_ms] = [from_ms + elapsed_ms(step, now_ms), usual_ms(step, learned)];
    // The axis has room for what is left of a step.
    const end_ms = step.status === "running" ? Math.max(to_ms, from_ms + (expected_ms || 0)) : to_ms;
    return { step, from_ms, to_ms, end_ms, expected_ms };
  });
  const begin_ms = Math.min(...times.map(({ from_ms }) => from_ms));
  const axis_ms = Math.max(MIN_AXIS_MS, Math.max(...times.map(({ end_ms }) => end_ms)) - begin_ms);
  const spans = times.map(({ step, from_ms, to_ms, expected_ms }) => {
    const length = Math.max(MIN_LENGTH, (to_ms - from_ms) / axis_ms);
    const start = Math.min((from_ms - begin_ms) / axis_ms, 1 - length);
    const expectedLength = Math.min(1 - start, expected_ms / axis_ms);
    return { step, start, length, expectedLength, expected_ms, isUsual: learned.has(step.name) };
  });
  return { spans, axis_ms };
}

/** What its expected duration is called. @param {Pick<Span, "expected_ms" | "isUsual">} span @returns {Kind | null} */
export function kindOf({ expected_ms, isUsual }) {
  if (Number.isNaN(expected_ms)) return null;
  return isUsual ? "usual" : "expected";
}
