/* When each step of a session ran, on one time axis: pure functions. */
import { elapsed_ms, startedAt } from "./steps.js";
import { usual_ms } from "./usual-times.js";

/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./usual-times.js").Learned} Learned */
/** @typedef {{start: number, length: number, expected: number}} Span Fractions of the axis; `expected` is 0 where it is not known. */

/** On a shorter axis a brief step would look long. */
const MIN_AXIS_MS = 4000;

/**
 * @param {Step[]} steps
 * @param {number} now_ms
 * @param {Learned} [learned]
 * @returns {(Span | null)[]} Of each step; null: it has not begun.
 */
export function spansOf(steps, now_ms, learned = new Map()) {
  const times = steps.map((step) => {
    const from_ms = Date.parse(startedAt(step) ?? "");
    const [took_ms, expected_ms] = [elapsed_ms(step, now_ms), usual_ms(step, learned) || 0];
    // The axis has room for what is left of a step.
    const end_ms = from_ms + (step.status === "running" ? Math.max(took_ms, expected_ms) : took_ms);
    return { from_ms, took_ms, expected_ms, end_ms };
  });
  const begun = times.filter(({ from_ms }) => !Number.isNaN(from_ms));
  const begin_ms = Math.min(...begun.map(({ from_ms }) => from_ms));
  const axis_ms = Math.max(MIN_AXIS_MS, Math.max(...begun.map(({ end_ms }) => end_ms)) - begin_ms);
  return times.map(({ from_ms, took_ms, expected_ms }) => {
    if (Number.isNaN(from_ms)) return null;
    const start = (from_ms - begin_ms) / axis_ms;
    return { start, length: took_ms / axis_ms, expected: Math.min(1 - start, expected_ms / axis_ms) };
  });
}

/** From the first start to the last end. @param {(Span | null)[]} spans @returns {Span | null} */
export function unionOf(spans) {
  const known = spans.flatMap((span) => span ?? []);
  const start = Math.min(...known.map((span) => span.start));
  const end = Math.max(...known.map((span) => span.start + span.length));
  return known.length ? { start, length: end - start, expected: 0 } : null;
}
