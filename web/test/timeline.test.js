import assert from "node:assert/strict";
import test from "node:test";

import { spansOf } from "../lib/timeline-spans.js";

const T0 = Date.parse("2026-01-01T00:00:00+00:00");
/**
 * @param {number} step
 * @param {number} from_ms
 * @param {number} elapsed_ms
 * @returns {import("../lib/wire.js").StartedStep}
 */
const step = (step, from_ms, elapsed_ms) => ({
  step,
  name: "n",
  status: elapsed_ms ? "success" : "running",
  started_at: new Date(T0 + from_ms).toISOString(),
  completed_at: null,
  elapsed_ms,
  timeout_ms: null,
  message: "",
  error: "",
});
const pending = {
  step: 9,
  name: "n",
  status: /** @type {const} */ ("pending"),
  elapsed_ms: /** @type {const} */ (0),
  timeout_ms: 1,
};

/** @param {ReturnType<typeof spansOf>} result */
const shape = ({ spans }) => spans.map(({ step, start, length }) => [step.step, start, length]);

test("steps share one axis from the first start to the last end, and the running one grows", () => {
  const steps = [step(1, 0, 20_000), step(2, 20_000, 0), pending];
  assert.deepEqual(shape(spansOf(steps, T0 + 40_000)), [
    [1, 0, 0.5],
    [2, 0.5, 0.5],
  ]);
  assert.deepEqual(spansOf(steps, T0 + 80_000).axis_ms, 80_000);
  assert.deepEqual(shape(spansOf(steps, T0 + 80_000)), [
    [1, 0, 0.25],
    [2, 0.25, 0.75],
  ]);
});

test("behind a bar is what its step usually takes, or is declared to take", () => {
  const [first, second, third] = [step(1, 0, 20_000), step(2, 20_000, 0), step(3, 20_000, 0)];
  const steps = [{ ...first, name: "a", estimated_ms: 1 }, { ...second, name: "b", estimated_ms: 60_000 }, third];
  const { spans, axis_ms } = spansOf(steps, T0 + 30_000, new Map([["a", 10_000]]));
  assert.equal(axis_ms, 80_000, "it has room for what is left");
  assert.deepEqual(
    spans.map(({ expectedLength, expected_ms, isUsual }) => [expectedLength, expected_ms, isUsual]),
    [
      [0.125, 10_000, true],
      [0.75, 60_000, false],
      [NaN, NaN, false],
    ],
  );
});

test("an instant is visible, and inside the axis", () => {
  const [, [, start = NaN, length = NaN] = []] = shape(spansOf([step(1, 0, 20_000), step(2, 20_000, 1)], T0));
  assert.ok(length > 0.001);
  assert.ok(start + length <= 1);
});

test("without a started step there are no spans", () => {
  assert.deepEqual(spansOf([pending], T0).spans, []);
});
