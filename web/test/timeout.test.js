import assert from "node:assert/strict";
import test from "node:test";

import { checkTimeout } from "../index.js";
import { progress } from "./fakes.js";

const [done, pending] = progress(1).steps;
const started_at = "2026-01-01T09:00:00.000000+09:00";
const start_ms = Date.UTC(2026, 0, 1);
/** @param {object} changes */
const running = (changes) => /** @type {any} */ ({ ...done, status: "running", started_at, timeout_ms: 5000, ...changes });

for (const [what, step, age_ms, expected] of /** @type {[string, any, number, boolean][]} */ ([
  ["running within its limit", running({}), 5000, false],
  ["running past its limit", running({}), 5001, true],
  ["running without a limit", running({ timeout_ms: null }), 1e9, false],
  ["done, and long ago", done, 1e9, false],
  ["pending", pending, 1e9, false],
])) {
  test(`a step ${what} is ${expected ? "" : "not "}over time`, () => {
    assert.equal(checkTimeout(step, start_ms + age_ms), expected);
  });
}

test("the present is this machine's clock unless the caller knows better", () => {
  assert.equal(checkTimeout(running({ started_at: new Date(Date.now() - 60_000).toISOString() })), true);
  assert.equal(checkTimeout(running({ started_at: new Date(Date.now() + 60_000).toISOString() })), false);
});
