import assert from "node:assert/strict";
import test from "node:test";
import { RecentSessions } from "../page/recent-sessions.js";

/** @param {string | null} kept */
function storage(kept) {
  return {
    getItem: () => kept,
    setItem: (/** @type {string} */ _, /** @type {string} */ value) => {
      kept = value;
    },
  };
}

test("recent sessions are listed newest first, each once, up to a limit", () => {
  const store = storage(null);
  const recent = new RecentSessions(() => store);
  for (let n = 1; n <= 9; n += 1) recent.add(`s${n}`);
  recent.add("s5");
  assert.deepEqual(recent.list(), ["s5", "s9", "s8", "s7", "s6", "s4", "s3", "s2"]);
});

test("without storage, or with invalid content, there are no recent sessions", () => {
  const denied = new RecentSessions(() => {
    throw new Error("denied");
  });
  denied.add("a");
  assert.deepEqual(denied.list(), []);
  for (const kept of ["{", '{"a": 1}', "[1, null]"]) {
    const store = storage(kept);
    assert.deepEqual(new RecentSessions(() => store).list(), []);
  }
});
