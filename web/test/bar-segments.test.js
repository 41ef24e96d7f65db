import assert from "node:assert/strict";
import test from "node:test";

import { segmentEnds } from "../lib/bar-segments.js";
import { after, afterKnowing, done, session, T0, timedSession } from "./fakes/sessions.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */

/** @param {Progress} data @param {number} percentage @param {number} [ms] */
const ends = (data, percentage, ms = 0) => segmentEnds(after([0, data]), percentage, T0 + ms).map(Math.round);

test("a segment is as long as its step is declared to take", () => {
  assert.deepEqual(ends(timedSession([], {}), 0), [50, 75]);
  assert.deepEqual(ends(timedSession([{}], {}), 25, 30_000), [50, 75]);
});

test("a segment of a step that is done is as long as that took", () => {
  assert.deepEqual(ends(timedSession([done(30_000), done(60_000), {}], {}), 90), [30, 90]);
  const ended = timedSession([done(50_000), done(20_000), done(30_000)], {}, { status: "completed" });
  assert.deepEqual(ends(ended, 100), [50, 70]);
});

test("a skipped step and a very short one have no end of their own", () => {
  assert.deepEqual(ends(timedSession([done(0), done(60_000), done(40_000)], {}, { status: "completed" }), 100), [60]);
  assert.deepEqual(ends(timedSession([done(99_000), done(500), {}], {}), 99), [99]);
});

test("a failed step has the segment of a step that is still to be done", () => {
  const failed = { ...done(9), status: /** @type {const} */ ("error") };
  assert.deepEqual(ends(timedSession([done(60_000), failed], {}, { status: "error" }), 50), [50, 75]);
});

test("a running step that nothing was declared of ends at its rate", () => {
  const data = timedSession([{ progress: { current: 1, total: 4 } }], {});
  const { estimated_ms: _, ...undeclared } = data.steps[0] ?? assert.fail();
  const steps = [undeclared, ...data.steps.slice(1)];
  assert.deepEqual(ends({ ...data, steps }, 10, 20_000), [55, 78]);
  const unknown = { ...data, steps: [{ ...undeclared, progress: { current: 0, total: 4 } }, ...data.steps.slice(1)] };
  assert.deepEqual(ends(/** @type {Progress} */ (unknown), 10, 20_000), []);
});

test("where a step's time is not known there are no segments", () => {
  const data = timedSession([{}], { basis: "history" });
  const steps = data.steps.map(({ estimated_ms: _, ...step }) => step);
  assert.deepEqual(ends({ ...data, steps }, 10), []);
  const learned = new Map(["STEP1", "STEP2", "STEP3"].map((name) => [name, 1000]));
  const state = afterKnowing({ learned }, [0, { ...data, steps }]);
  assert.deepEqual(segmentEnds(state, 0, T0).map(Math.round), [33, 67]);
  const ended = session([done(1000), done(1000), done(1000)], { status: "completed" });
  assert.deepEqual(ends(ended, 100), [], "nor in a bar by steps");
});
