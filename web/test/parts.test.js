import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";
import { cellsOf, cellText, partsText, reportedParts } from "../lib/parts.js";

/** @typedef {import("../lib/wire.js").Part} Part */
/** @typedef {import("../lib/wire.js").Parts} Parts */

const [english, japanese] = [new Language("en"), new Language("ja")];

/** @param {string} part @param {Part["status"]} status @param {Partial<Part>} [more] @returns {Part} */
const partOf = (part, status, more) => ({ part, status, elapsed_ms: 0, ...more });

/** @param {Part[]} listed @param {Partial<Parts>} [more] @returns {Parts} */
function partsOf(listed, more) {
  const count = (/** @type {string} */ status) => listed.filter((part) => part.status === status).length;
  return { total: null, running: count("running"), success: count("success"), error: count("error"), listed, ...more };
}

/** @param {Parts} parts @param {Part[]} [known] */
const shown = (parts, known) => cellsOf(parts, known).map(({ status, part }) => [status, part?.part]);

test("each part has a cell, also those that are not listed or not reported", () => {
  const parts = partsOf([partOf("a", "success"), partOf("b", "error"), partOf("c", "running")], {
    success: 2,
    total: 6,
  });
  assert.deepEqual(shown(parts), [
    ["error", "b"],
    ["running", "c"],
    ["success", "a"],
    ["success", undefined],
    ["pending", undefined],
    ["pending", undefined],
  ]);
  assert.equal(reportedParts(parts), 4);
  assert.equal(cellsOf(partsOf([])).length, 0);
});

test("what is listed is newer than what was loaded", () => {
  const known = [partOf("a", "running"), partOf("b", "running"), partOf("c", "running")];
  assert.deepEqual(shown(partsOf([partOf("b", "error")], { running: 1, success: 1 }), known), [
    ["error", "b"],
    ["running", "a"],
    ["success", undefined],
  ]);
});

test("what is listed comes before what was loaded", () => {
  const [a, b, c] = [partOf("a", "error"), partOf("b", "error"), partOf("c", "error")];
  assert.deepEqual(shown(partsOf([c, a], { error: 3 }), [a, b, c]), [
    ["error", "c"],
    ["error", "a"],
    ["error", "b"],
  ]);
});

test("the counts are said in words", () => {
  const parts = partsOf([], { success: 37, error: 2, running: 3 });
  assert.equal(partsText({ ...parts, total: 50 }, true, english), "37 of 50 done, 2 failed");
  assert.equal(partsText(parts, true, english), "37 of 42 done so far, 2 failed");
  assert.equal(partsText(parts, false, english), "37 of 42 done, 2 failed");
  assert.equal(partsText({ ...parts, error: 0, total: 200 }, true, english), "37 of 200 done");
  assert.equal(partsText({ ...parts, total: 50 }, true, japanese), "50 件中 37 件完了、2 件失敗");
});

test("a cell says the state of its part, how far it is, and what its worker says", () => {
  /** @type {[Part, string][]} */
  const texts = [
    [partOf("a", "running", { progress: { current: 3, total: 1200 }, message: "x.csv" }), "running, 3 / 1,200, x.csv"],
    [partOf("a", "running", { progress: { current: 3, total: null } }), "running, 3"],
    [partOf("a", "success", { progress: { current: 3, total: 3 }, message: "3 rows" }), "done, 3 rows"],
    [partOf("a", "error", { message: "x.csv", error: "disk full" }), "failed, disk full"],
  ];
  for (const [part, text] of texts) assert.equal(cellText({ status: part.status, part }, english), text);
  assert.equal(cellText({ status: "pending" }, english), "waiting");
});
