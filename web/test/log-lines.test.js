/* The lines of a log that a page holds. */
import assert from "node:assert/strict";
import test from "node:test";
import { fileOf, LogLines, MAX_ALL_LINES, MAX_LINES, matchesIn } from "../lib/log-lines.js";

/** @typedef {import("../lib/wire.js").LogLine} LogLine */

/** @param {number} n @param {Partial<LogLine>} [more] @returns {LogLine} */
const line = (n, more) => ({
  n,
  at: "2026-01-02T03:04:05.678+00:00",
  step: null,
  level: "info",
  text: `t${n}`,
  ...more,
});

/** @param {LogLine[]} lines @param {number} [missed] */
const update = (lines, missed = 0) => ({ life: "a", isNew: false, lines, missed });

/** @param {LogLines} held @param {number | null} step */
const numbers = (held, step) => held.of(step).map(({ n }) => n);

test("lines are held by step, in order", () => {
  const held = new LogLines();
  assert.ok(held.isEmpty);
  assert.deepEqual([...held.add(update([line(1), line(2, { step: 3 }), line(3)]))], [null, 3]);
  assert.deepEqual([...held.add(update([line(4, { step: 3 })]))], [3]);
  assert.deepEqual(numbers(held, null), [1, 3]);
  assert.deepEqual(numbers(held, 3), [2, 4]);
  assert.deepEqual(numbers(held, 1), []);
  assert.equal(held.of(1), held.of(2), "the same list while there are none");
});

test("a gap stands before the first line after it", () => {
  const held = new LogLines();
  held.add(update([line(8), line(9)], 7));
  assert.deepEqual(
    held.of(null).map(({ missed }) => missed),
    [7, 0],
  );
});

test("a page that stays open does not hold ever more lines, however many steps there are", () => {
  const held = new LogLines();
  const many = (/** @type {number} */ step, /** @type {number} */ from) =>
    update(Array.from({ length: MAX_LINES }, (_, index) => line(from + index, { step })));
  for (const step of [1, 2, 3, 4]) held.add(many(step, step * MAX_LINES));
  assert.equal(4 * MAX_LINES, MAX_ALL_LINES);
  assert.deepEqual([...held.add(update([line(100_000, { step: 5 }), line(100_001, { step: 6 })]))], [5, 6, 1]);
  assert.deepEqual([held.of(1).length, held.of(1)[0]?.n], [MAX_LINES - 2, MAX_LINES + 2]);
  assert.deepEqual([...held.add(many(5, 200_000))], [5, 1, 2]);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((step) => held.of(step).length),
    [0, MAX_LINES - 1, MAX_LINES, MAX_LINES, MAX_LINES, 1],
  );
});

test("another log forgets the lines of the one before, and names their steps", () => {
  const held = new LogLines();
  held.add(update([line(1), line(2, { step: 1 })]));
  assert.deepEqual([...held.add({ life: "b", isNew: true, lines: [], missed: 0 })], [null, 1]);
  assert.ok(held.isEmpty);
});

test("the oldest lines go where a page is open for long", () => {
  const held = new LogLines();
  for (let from = 0; from < MAX_LINES + 1000; from += 1000) {
    held.add(update(Array.from({ length: 1000 }, (_, index) => line(from + index + 1))));
  }
  assert.equal(held.of(null).length, MAX_LINES);
  assert.equal(held.of(null)[0]?.n, 1001);
});

test("words are found without regard to case, wherever they are", () => {
  assert.deepEqual(matchesIn("Error: no error", "ERROR"), [
    [0, 5],
    [10, 15],
  ]);
  assert.deepEqual(matchesIn("aaaa", "aa"), [
    [0, 2],
    [2, 4],
  ]);
  assert.deepEqual(matchesIn("abc", ""), []);
  assert.deepEqual(matchesIn("abc", "d"), []);
  // Its lower case is longer, so that places are not known.
  assert.deepEqual(matchesIn("İx", "x"), [[0, 2]]);
  assert.deepEqual(matchesIn("İx", "y"), []);
});

test("a file has time, level and plain text", () => {
  const held = new LogLines();
  held.add(update([line(1, { text: "\u001b[31mred\u001b[0m" }), line(2, { level: "error", text: "no room" })]));
  assert.equal(fileOf(held.of(null)), "2026-01-02T03:04:05.678Z red\n2026-01-02T03:04:05.678Z ERROR no room\n");
});
