import assert from "node:assert/strict";
import test from "node:test";

import { milestoneOf } from "../lib/headline.js";
import { nextState } from "../lib/session-state.js";
import { elapsed_ms, took_ms } from "../lib/steps.js";
import { absent, after, done, iso, session, T0 } from "./fakes/sessions.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */

test("a running step's time follows the server's clock, another's is as measured", () => {
  const [running, finished, pending] = session([{}, done(1234)]).steps;
  assert.ok(running && finished && pending);
  assert.equal(elapsed_ms(running, T0 + 5000), 5000);
  assert.equal(elapsed_ms(running, T0 - 5000), 0);
  assert.equal(elapsed_ms(finished, T0 + 5000), 1234);
  assert.equal(elapsed_ms(pending, T0 + 5000), 0);
});

test("a session's duration is from its first start to its last end", () => {
  assert.equal(took_ms(session([done(1000), { ...done(4000), started_at: iso(1000) }])), 4000);
  assert.equal(took_ms(session([done(1000), { started_at: iso(9000) }])), 1000);
  assert.equal(took_ms(session([{}])), 0);
  assert.equal(took_ms(session([])), 0);
});

/** @param {Progress} before @param {Progress} data */
const milestone = (before, data) => {
  const state = after([0, before]);
  const found = milestoneOf(state, nextState(state, data, T0 + 1));
  return found && [found.key, found.values.step ?? found.values.percentage];
};

test("steps, quarters, a retry and the end are milestones", () => {
  const half = session([{ progress: { current: 1, total: 2 } }], { percentage: 50 });
  assert.deepEqual(milestone(session([]), session([{}])), ["running", 1]);
  assert.deepEqual(milestone(session([{}]), session([done(1), {}])), ["running", 2]);
  assert.deepEqual(milestone(session([{}]), half), ["milestone", 50]);
  assert.equal(milestone(half, { ...half, percentage: 60 }), null);
  assert.deepEqual(milestone(session([{}]), session([{ started_at: iso(9) }])), ["retried", 1]);
  assert.deepEqual(milestone(session([{}]), session([done(1)], { status: "completed" })), ["completed", undefined]);
  assert.equal(milestone(session([{}]), session([{ status: "error" }], { status: "error" })), null);
  assert.equal(
    milestone(session([done(1)], { status: "completed" }), session([done(2)], { status: "completed" })),
    null,
  );
  assert.equal(milestone(session([{}]), session([{ message: "news" }])), null);
});

test("a deletion is announced", () => {
  const before = after([0, session([{}])]);
  assert.equal(milestoneOf(before, nextState(before, absent, T0))?.key, "deleted");
  const waiting = after([0, absent]);
  assert.equal(milestoneOf(waiting, nextState(waiting, absent, T0)), null);
});
