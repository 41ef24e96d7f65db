import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";
import { silenceText, timesText } from "../lib/step-words.js";
import { spansOf, unionOf } from "../lib/timeline-spans.js";

/** @typedef {import("../lib/wire.js").StartedStep} StartedStep */

const [en, ja] = [new Language("en"), new Language("ja")];
const START_MS = new Date(2026, 0, 1, 14, 3, 5).getTime();
const at = (/** @type {number} */ ms) => new Date(START_MS + ms).toISOString();

/** A step of the name "n"; running where it took no time. @param {number} from_ms @param {number} took_ms @param {Partial<StartedStep>} [more] */
const step = (from_ms, took_ms, more) => ({
  step: 1,
  name: "n",
  status: /** @type {"success" | "running"} */ (took_ms ? "success" : "running"),
  started_at: at(from_ms),
  completed_at: took_ms ? at(from_ms + took_ms) : null,
  elapsed_ms: took_ms,
  timeout_ms: null,
  message: "",
  error: "",
  ...more,
});
const pending = {
  step: 9,
  name: "n",
  status: /** @type {const} */ ("pending"),
  elapsed_ms: /** @type {const} */ (0),
  timeout_ms: 1,
};

test("steps share one axis from the first start to the last end, and the running one grows", () => {
  const steps = [step(0, 20_000), step(20_000, 0), pending];
  assert.deepEqual(spansOf(steps, START_MS + 40_000), [
    { start: 0, length: 0.5, expected: 0 },
    { start: 0.5, length: 0.5, expected: 0 },
    null,
  ]);
  assert.deepEqual(spansOf(steps, START_MS + 80_000), [
    { start: 0, length: 0.25, expected: 0 },
    { start: 0.25, length: 0.75, expected: 0 },
    null,
  ]);
});

test("around a bar is what its step usually takes, or is declared to take", () => {
  const steps = [
    step(0, 20_000, { name: "a", estimated_ms: 1 }),
    step(20_000, 0, { name: "b", estimated_ms: 60_000 }),
    step(20_000, 0),
  ];
  // The axis has room for what is left of the second.
  assert.deepEqual(spansOf(steps, START_MS + 30_000, new Map([["a", 10_000]])), [
    { start: 0, length: 0.25, expected: 0.125 },
    { start: 0.25, length: 0.125, expected: 0.75 },
    { start: 0.25, length: 0.125, expected: 0 },
  ]);
});

test("a brief job does not look long, and one that has not begun has no bars", () => {
  assert.deepEqual(spansOf([step(0, 1000)], START_MS), [{ start: 0, length: 0.25, expected: 0 }]);
  assert.deepEqual(spansOf([pending], START_MS), [null]);
});

test("a fold reaches from the first start to the last end", () => {
  const spans = spansOf([step(0, 30_000), step(10_000, 10_000), step(30_000, 10_000)], START_MS);
  assert.deepEqual(unionOf(spans.slice(1)), { start: 0.25, length: 0.75, expected: 0 });
  assert.deepEqual(unionOf(spans.slice(0, 2)), { start: 0, length: 0.75, expected: 0 });
  assert.equal(unionOf([null]), null);
});

for (const [words, given, usual_ms] of /** @type {[string, StartedStep, number?][]} */ ([
  ["14:03:05–14:04:10", step(0, 65_000)],
  ["14:03:05–14:04:10, usually 50 s, attempt 2", step(0, 65_000, { attempt: 2, estimated_ms: 9000 }), 50_000],
  ["14:03:05–14:04:10, expected 9 s", step(0, 65_000, { attempt: 1, estimated_ms: 9000 })],
  ["14:03:05", step(0, 400, { estimated_ms: 400 })],
  ["since 14:03:05", step(0, 0)],
])) {
  test(`a step ran ${words}`, () => {
    const learned = new Map(usual_ms ? [["n", usual_ms]] : []);
    assert.equal(timesText(given, learned, en), words);
  });
}

test("in Japanese too", () => {
  assert.equal(timesText(step(0, 65_000), new Map([["n", 50_000]]), ja), "14:03:05～14:04:10、通常 50 秒");
});

test("a step without a sign of life says since when", () => {
  const silence = (/** @type {Partial<StartedStep>} */ more) => silenceText(step(0, 0, more), START_MS + 90_000, en);
  assert.equal(silence({ liveness: { state: "stalled", since: at(10_000) } }), "no sign of life since 14:03");
  assert.equal(silence({ liveness: { state: "live", since: at(0) } }), "");
  assert.equal(silence({}), "");
});
