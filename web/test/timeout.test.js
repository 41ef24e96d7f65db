import assert from "node:assert/strict";
import test from "node:test";

import { checkTimeout } from "../lib/index.js";
import { Page, progress } from "./fakes.js";

const [done, pending] = progress(1).steps;

/** @param {number} age_ms @param {object} [changes] @returns {any} */
function running(age_ms, changes) {
  // With the offset of Tokyo.
  const started_at = new Date(Date.now() - age_ms + 9 * 3_600_000).toISOString().replace("Z", "000+09:00");
  return { ...done, status: "running", started_at, timeout_ms: 60_000, ...changes };
}

for (const [what, step, expected] of /** @type {[string, any, boolean][]} */ ([
  ["running within its limit", running(50_000), false],
  ["running past its limit", running(61_000), true],
  ["running without a limit", running(1e9, { timeout_ms: null }), false],
  ["done, and long ago", done, false],
  ["pending", pending, false],
])) {
  test(`a step ${what} is ${expected ? "" : "not "}over time`, () => {
    assert.equal(checkTimeout(step), expected);
  });
}

test("checkTimeout can be passed to filter", () => {
  assert.equal([running(50_000), running(61_000), running(50_000)].filter(checkTimeout).length, 1);
});

test("checkTimeout uses the server's clock", () => {
  const page = new Page();
  void page.tracker.start();
  const now = new Date(Date.now() + 3_600_000).toISOString();
  page.stream.send("heartbeat", { now, interval_ms: 15_000 });
  assert.equal(checkTimeout(running(-3_600_000 + 50_000)), false);
  assert.equal(checkTimeout(running(-3_600_000 + 61_000)), true);
  page.stream.send("heartbeat", { now: new Date().toISOString(), interval_ms: 15_000 });
});
