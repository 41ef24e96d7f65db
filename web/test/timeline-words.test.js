import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";
import { spanWords } from "../lib/timeline-words.js";

const en = new Language("en");
const ja = new Language("ja");
const START_MS = new Date(2026, 0, 1, 14, 3, 5).getTime();
const at = (/** @type {number} */ ms) => new Date(START_MS + ms).toISOString();

/** @param {object} [step] @param {number} [expected_ms] @param {boolean} [isUsual] */
function span(step = {}, expected_ms = NaN, isUsual = true) {
  const done = { status: "success", started_at: at(0), completed_at: at(65_000), elapsed_ms: 65_000, ...step };
  return /** @type {import("../lib/timeline-spans.js").Span} */ (
    /** @type {unknown} */ ({ step: done, expected_ms, isUsual })
  );
}

for (const [words, given, now_ms] of /** @type {[string, ReturnType<typeof span>, number | undefined][]} */ ([
  ["done, 14:03:05–14:04:10, took 1 min 5 s", span(), undefined],
  [
    "failed, 14:03:05–14:04:10, took 1 min 5 s, usually 50 s, attempt 2",
    span({ status: "error", attempt: 2 }, 50_000),
    undefined,
  ],
  ["done, 14:03:05–14:04:10, took 1 min 5 s, expected 50 s", span({}, 50_000, false), undefined],
  ["done, 14:03:05", span({ completed_at: at(400), elapsed_ms: 400, attempt: 1 }), undefined],
  ["skipped, 14:03:05", span({ conclusion: "skipped", completed_at: at(0), elapsed_ms: 0 }), undefined],
  ["running, since 14:03:05", span({ status: "running", completed_at: null }), undefined],
  [
    "running, since 14:03:05, running for 3 s",
    span({ status: "running", completed_at: null, elapsed_ms: 0 }),
    START_MS + 3500,
  ],
])) {
  test(`a step is ${words}`, () => assert.equal(spanWords(given, en, now_ms), words));
}

test("in Japanese too", () => {
  assert.equal(spanWords(span({}, 50_000), ja), "完了、14:03:05～14:04:10、所要時間 1 分 5 秒、通常 50 秒");
});
