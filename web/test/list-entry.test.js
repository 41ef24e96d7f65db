/* What a list says of a session; tests/corpus/words.json has the rest. */
import assert from "node:assert/strict";
import test from "node:test";
import { Language } from "../lib/language.js";
import { lookOf, percentageAt, stepWords, timeText } from "../lib/list-entry.js";
import { listed } from "./fakes/listed.js";

const language = new Language("en");
const BEGIN_MS = Date.parse(listed(0).created_at);
const MINUTE_MS = 60_000;

/** @param {number} ms */
const at = (ms) => new Date(BEGIN_MS + ms).toISOString();

/** @param {number} p50_ms @param {number} p90_ms @returns {import("../lib/wire.js").SessionTime} */
const time = (p50_ms, p90_ms) => ({
  percentage: 40,
  finish_at: { p50: at(p50_ms), p90: at(p90_ms) },
  basis: "history",
  runs: 9,
});

test("the bar is full only at the end", () => {
  assert.equal(percentageAt(listed(0, { status: "error", percentage: 100 }), BEGIN_MS), 99);
  assert.equal(percentageAt(listed(0, { status: "completed", percentage: 100 }), BEGIN_MS), 100);
});

test("where its time is known, the bar moves evenly, and stands still once it has failed", () => {
  const running = listed(0, { percentage: 10, time: time(2 * MINUTE_MS, 3 * MINUTE_MS) });
  const percentages = [-1, 0, 1, 2, 9].map((minutes) => percentageAt(running, BEGIN_MS + minutes * MINUTE_MS));
  assert.deepEqual(percentages, [40, 40, 70, 99, 99]);
  assert.equal(percentageAt({ ...running, status: "error" }, BEGIN_MS + MINUTE_MS), 40);
});

test("an end that a later server may name is a failure", () => {
  assert.equal(lookOf(listed(0, { status: "error", conclusion: /** @type {any} */ ("bored") })), "failed");
});

const idle_since = at(0);

for (const [changes, words] of /** @type {[Partial<import("../lib/wire.js").ListedSession>, string][]} */ ([
  [{ current_step: 2 }, "step 2 of 3"],
  [{ current_step: 0 }, ""],
  [{ total_steps: 1 }, ""],
  [{ current_step: 3, status: "completed" }, ""],
  [{ current_step: 2, status: "error" }, "step 2 of 3"],
  [{ open_ended: true }, "3 steps so far"],
  [{ open_ended: true, total_steps: 1 }, "1 step so far"],
  [{ open_ended: true, total_steps: 0 }, ""],
  [{ open_ended: true, current_step: 2, status: "error" }, "step 2 of 3"],
  [{ idle_since, percentage: 66 }, "2 of 3 steps done"],
  [{ idle_since, percentage: 1, total_steps: 60 }, "1 of 60 steps done"],
  [{ idle_since, percentage: 99, total_steps: 100 }, "99 of 100 steps done"],
  [{ idle_since, percentage: 1, total_steps: 101 }, ""],
])) {
  test(`its steps: ${JSON.stringify(changes)} is ${words || "no words"}`, () => {
    assert.equal(stepWords(listed(0, changes), BEGIN_MS + MINUTE_MS, language), words);
  });
}

test("before a minute has passed it is at the step that was started last", () => {
  assert.equal(stepWords(listed(0, { idle_since }), BEGIN_MS + MINUTE_MS - 1, language), "step 1 of 3");
});

for (const [changes, minutes, words] of /** @type {[object, number, RegExp][]} */ ([
  [{ status: "pending" }, 5, /^$/],
  [{ status: "completed", updated_at: at(2 * MINUTE_MS) }, 5, /^$/],
  [{ status: "error", time: time(8 * MINUTE_MS, 10 * MINUTE_MS) }, 5, /^$/],
  [{}, 5, /^$/],
  [{ time: time(8 * MINUTE_MS, 10 * MINUTE_MS) }, 5, /^usually 3–5 min left$/],
  [{ time: time(8 * MINUTE_MS, 10 * MINUTE_MS) }, 10.4, /^a few seconds left$/],
  [{ time: time(8 * MINUTE_MS, 10 * MINUTE_MS) }, 11, /^taking longer than usual$/],
  [{ time: { ...time(MINUTE_MS, MINUTE_MS), basis: "declared" } }, 2, /^taking longer than expected$/],
  [{ time: { ...time(0, 0), finish_at: null } }, 5, /^$/],
])) {
  test(`${JSON.stringify(changes)} after ${minutes} min: ${words}`, () => {
    assert.match(timeText(listed(0, changes), BEGIN_MS + minutes * MINUTE_MS, language), words);
  });
}
