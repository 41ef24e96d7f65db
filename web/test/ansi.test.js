/* Text that was written for a terminal: looks stay, and nothing of it acts. */
import assert from "node:assert/strict";
import test from "node:test";
import { piecesOf, plainText } from "../lib/ansi.js";

/** @param {string} text */
const looks = (text) => piecesOf(text).map(({ text, look }) => [text, look]);

test("colours and weights become looks, until they end", () => {
  assert.deepEqual(looks("a \u001b[31mred\u001b[1m bold\u001b[0m plain"), [
    ["a ", ""],
    ["red", "ansi-red"],
    [" bold", "ansi-red ansi-bold"],
    [" plain", ""],
  ]);
  assert.deepEqual(looks("\u001b[1;2;3;4;96mx\u001b[22;39my\u001b[23;24mz\u001b[mend"), [
    ["x", "ansi-cyan ansi-bold ansi-dim ansi-italic ansi-underline"],
    ["y", "ansi-italic ansi-underline"],
    ["z", ""],
    ["end", ""],
  ]);
});

test("of larger palettes the colours stay that have names, and grounds are dropped", () => {
  for (const [codes, look] of [
    ["38;5;1", "ansi-red"],
    ["38;5;10", "ansi-green"],
    ["38;5;200", ""],
    ["38;2;255;0;0", ""],
    ["41", ""],
    ["48;5;1", ""],
    ["38;5", ""],
    ["38", ""],
    ["38;5;1;4", "ansi-red ansi-underline"],
    ["48;2;1;2;3;32", "ansi-green"],
    ["4:3", "ansi-underline"],
    ["7", ""],
    ["?31", ""],
    ["99999999999999999999", ""],
  ]) {
    assert.deepEqual(looks(`\u001b[${codes}mx`), [["x", look]], codes);
  }
});

test("everything else that acts on a terminal is dropped", () => {
  for (const text of [
    "\u001b[2J\u001b[1;1Hab",
    "a\u001b]0;title\u0007b",
    "a\u001b]8;;https://evil.example\u001b\\b\u001b]8;;\u001b\\",
    "a\u001bPdata\u001b\\b",
    "a\u009b31mb",
    "a\u001b(Bb",
    "ab\u001b",
    "a\u0008\u0007\u0000b\u007f",
    "\u202ea\u2066b\u2069\u200f",
    "a\u2028b\r",
  ]) {
    assert.equal(plainText(text), "ab", JSON.stringify(text));
  }
  assert.equal(plainText("a\tb <b>c</b>"), "a\tb <b>c</b>");
  assert.deepEqual(piecesOf(""), []);
});

test("a long line of unfinished sequences is read in no time", () => {
  const started = performance.now();
  plainText("\u001b[".repeat(4000) + "\u001b]".repeat(4000) + "0;".repeat(4000));
  assert.ok(performance.now() - started < 500);
});
