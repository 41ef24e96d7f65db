import assert from "node:assert/strict";
import test from "node:test";

import { ProgressTracker } from "../lib/index.js";
import { progress, stepEvent } from "./fakes.js";

test("folding the steps into a snapshot equals the poll, byte for byte", () => {
  let data = progress(0);
  for (const done of [1, 2, 3]) {
    data = ProgressTracker.fold(data, stepEvent(done));
    assert.equal(JSON.stringify(data), JSON.stringify(progress(done)));
  }
});

test("folding does not change its arguments", () => {
  const before = progress(1);
  const event = stepEvent(2);
  ProgressTracker.fold(before, event);
  assert.deepEqual([before, event], [progress(1), stepEvent(2)]);
});

test("folding keeps a step's optional keys, and drops them when the step is replaced", () => {
  const reported = stepEvent(1);
  reported.step = { ...reported.step, status: "running", progress: { current: 5, total: 10 } };
  const during = ProgressTracker.fold(progress(0), reported);
  assert.deepEqual(during.steps[0], reported.step);
  const after = ProgressTracker.fold(during, stepEvent(1));
  assert.equal(JSON.stringify(after), JSON.stringify(progress(1)));
});

test("folding the same step again changes nothing", () => {
  assert.deepEqual(ProgressTracker.fold(progress(2), stepEvent(2)), progress(2));
});
