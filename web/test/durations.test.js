import assert from "node:assert/strict";
import test from "node:test";
import { clock } from "../lib/durations.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

for (const [ms, text] of /** @type {[number, string][]} */ ([
  [0, "0:00"],
  [-5, "0:00"],
  [5 * MINUTE, "5:00"],
  [61 * SECOND, "1:01"],
  [HOUR + 2 * MINUTE + 3 * SECOND, "1:02:03"],
])) {
  test(`a clock shows ${ms} ms as ${text}`, () => assert.equal(clock(ms), text));
}
