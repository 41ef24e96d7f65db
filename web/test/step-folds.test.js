import assert from "node:assert/strict";
import test from "node:test";

import { foldsOf } from "../lib/step-folds.js";

/** @typedef {import("../lib/wire.js").Step} Step */

const STATUSES = /** @type {const} */ ({ d: "success", w: "pending", r: "running", e: "error" });

/** A list of steps, written by a letter each. @param {string} letters */
function steps(letters) {
  return [...letters].map((letter, index) => {
    const status = STATUSES[/** @type {keyof typeof STATUSES} */ (letter)];
    const step = { step: index + 1, name: `s${index}`, status, elapsed_ms: status === "success" ? 1000 : 0 };
    return /** @type {Step} */ (/** @type {unknown} */ (step));
  });
}

/** The folds, written as the text of what they hide. @param {string} letters */
const folded = (letters) => foldsOf(steps(letters)).map(({ first, last }) => `${first}-${last}`);

for (const [letters, expected] of /** @type {[string, string[]][]} */ ([
  ["", []],
  ["ddddddrwww", []],
  ["ddddddrwwww", ["0-5"]],
  ["dddddddddddd", ["0-11"]],
  ["ddrddddrewww", ["3-6"]],
  ["dderwwwwwwww", ["7-11"]],
  ["wwwwwwwwwwww", ["3-11"]],
  ["ddddrrewwwww", ["0-3"]],
  ["ddddrrewwwwww", ["0-3", "10-12"]],
])) {
  test(`${letters || "no step"} folds ${expected.join(" and ") || "nothing"}`, () => {
    assert.deepEqual(folded(letters), expected);
  });
}

test("a run keeps its key while it grows and shrinks, and has the time of its steps", () => {
  const [done, waiting] = foldsOf(steps("dddrwwwwwwwww"));
  const [doneLater, waitingLater] = foldsOf(steps("ddddrwwwwwwww"));
  assert.deepEqual([done?.key, waiting?.key], [doneLater?.key, waitingLater?.key]);
  assert.equal(doneLater?.took_ms, 4000);
});
