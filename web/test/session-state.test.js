import assert from "node:assert/strict";
import test from "node:test";

import { milestoneOf } from "../lib/headline.js";
import { nextState } from "../lib/session-state.js";
import { timeLeft } from "../lib/time-left.js";
import { absent, after, done, iso, openSession, session, T0 } from "./fakes/sessions.js";

const failed = { ...done(2000), status: /** @type {const} */ ("error") };
const inError = { status: /** @type {const} */ ("error") };

test("only the end shows 100 percent", () => {
  const full = { status: /** @type {const} */ ("running"), percentage: 100 };
  assert.equal(after([0, session([{}], full)]).percentage, 99);
  assert.equal(after([0, session([{}], { ...full, status: "completed" })]).percentage, 100);
  assert.equal(after([0, session([{}], { ...full, status: "error" })]).percentage, 99);
  assert.equal(after([0, openSession([], { status: "completed" })]).percentage, 100);
});

test("failed steps are not done", () => {
  const state = after([0, session([done(1000), failed], { ...inError, percentage: 66 })]);
  assert.equal(state.percentage, 33);
  const beside = session([failed, { progress: { current: 1, total: 2 } }, done(1)], { ...inError, percentage: 83 });
  assert.equal(after([0, beside]).percentage, 50);
  const unknown = session([failed, { progress: { current: 1, total: null } }], { ...inError, percentage: 33 });
  assert.equal(after([0, unknown]).percentage, 0);
});

test("skipped steps are done", () => {
  const skipped = { ...done(0), conclusion: /** @type {const} */ ("skipped") };
  assert.equal(after([0, session([failed, skipped], { ...inError, percentage: 66 })]).percentage, 33);
});

test("the bar falls when a step fails with a part of it counted", () => {
  const before = after([0, session([{ progress: { current: 9, total: 10 } }], { percentage: 30 })]);
  const state = nextState(before, session([failed], { ...inError, percentage: 33 }), T0 + 2000);
  assert.deepEqual([before.percentage, state.percentage, state.isSetBack], [30, 0, false]);
});

test("the bar does not fall while a step counts anew", () => {
  const before = after([0, session([{ progress: { current: 9, total: 10 } }], { percentage: 30 })]);
  const again = session([{ progress: { current: 1, total: 10 } }], { percentage: 3 });
  assert.equal(nextState(before, again, T0 + 1).percentage, 30);
});

test("the bar falls at a retry, and the retried step is known until it ends", () => {
  const before = after([2000, session([done(1000), done(2000)], { percentage: 66 })]);
  const again = session([done(1000), { started_at: iso(3000) }], { percentage: 33 });
  const state = nextState(before, again, T0 + 3000);
  assert.deepEqual([state.percentage, state.retried, state.isSetBack], [33, 2, true]);
  const slower = nextState(state, { ...again, percentage: 30 }, T0 + 4000);
  assert.deepEqual([slower.percentage, slower.retried, slower.isSetBack], [33, 2, true]);
  const next = session([done(1000), { ...done(5000), started_at: iso(3000) }], { percentage: 66 });
  assert.deepEqual([nextState(slower, next, T0 + 5000).retried], [0]);
  assert.equal(milestoneOf(before, state)?.key, "set_back");
});

test("a retry of a failed step does not set the bar back", () => {
  const before = after([2000, session([done(1000), failed], { ...inError, percentage: 66 })]);
  const state = nextState(before, session([done(1000), { started_at: iso(3000) }], { percentage: 33 }), T0 + 3000);
  assert.deepEqual([state.percentage, state.retried, state.isSetBack], [33, 2, false]);
});

test("a lost step that is heard of again is no retry", () => {
  const lost = { ...failed, started_at: iso(0), conclusion: /** @type {const} */ ("lost") };
  const state = after([0, session([{}])], [2000, session([lost], inError)], [3000, session([{}])]);
  assert.equal(state.retried, 0);
});

test("a retry that has ended before the first update is not shown", () => {
  const failed = session([done(1000), { ...done(2000), status: "error" }], { status: "error", percentage: 66 });
  const before = after([2000, failed]);
  for (const ended of [
    session([done(1000), { ...done(5000), started_at: iso(3000) }, {}], { percentage: 66, current_step: 3 }),
    session([done(1000), { ...done(5000), started_at: iso(3000), status: "error" }], {
      status: "error",
      percentage: 66,
    }),
  ]) {
    const state = nextState(before, ended, T0 + 5000);
    assert.deepEqual([state.retried, state.isSetBack], [0, false]);
    assert.notEqual(milestoneOf(before, state)?.key, "retried");
  }
});

test("a replaced session starts at zero, and is not a retry", () => {
  const before = after([0, session([done(1000), done(2000)])]);
  const state = nextState(before, session([]), T0 + 5000);
  assert.deepEqual([state.percentage, state.retried], [0, 0]);
});

test("a session that begins anew after its end is another run, and not a retry", () => {
  const ended = session([done(1), done(2), done(3)], { status: "completed", percentage: 100 });
  const anew = [4000, 5000, 6000].map((ms) => ({ started_at: iso(ms) }));
  const another = after([0, ended], [9000, session(anew, { percentage: 0 })]);
  assert.deepEqual([another.percentage, another.retried, another.isSetBack], [0, 0, false]);
  const reopened = after([0, ended], [9000, session([done(1), done(2), ...anew.slice(2)], { percentage: 66 })]);
  assert.deepEqual([reopened.percentage, reopened.retried, reopened.isSetBack], [66, 3, true]);
});

test("added steps let the bar fall and the time left grow, without a word of a retry", () => {
  const one = openSession([done(1000)], { percentage: 100 });
  const state = after([0, one], [1000, openSession([done(1000), { started_at: iso(1000) }], { percentage: 50 })]);
  assert.deepEqual([after([0, one]).percentage, state.percentage, state.retried, state.isSetBack], [99, 50, 0, false]);
  assert.equal(timeLeft(state, T0 + 9000), null, "an estimate of steps that were added since would be wrong");
});

test("a step that is being retried stays so when others are added", () => {
  const again = { started_at: iso(2000) };
  const state = after(
    [0, openSession([done(1000)], { percentage: 100 })],
    [2000, openSession([again], { percentage: 0 })],
    [3000, openSession([again, { started_at: iso(3000) }], { percentage: 0 })],
  );
  assert.deepEqual([state.retried, state.isSetBack], [1, true]);
});

test("a session of a fixed length that has another one is another run", () => {
  const before = after([0, session([done(1000)], { percentage: 33 })]);
  const { steps } = session([]);
  const state = nextState(
    before,
    session([done(9)], { total_steps: 6, steps: [...session([done(9)]).steps, ...steps] }),
    T0,
  );
  assert.equal(state.percentage, 33);
  assert.equal(after([0, openSession([done(1), done(2)])], [1, openSession([{}])]).percentage, 0);
});

test("a session that is gone was deleted, if it was known", () => {
  assert.equal(after([0, absent]).isDeleted, false);
  const state = after([0, session([{}])], [1, absent]);
  assert.deepEqual([state.isDeleted, state.percentage], [true, 0]);
  const still = nextState(state, absent, T0 + 2);
  assert.equal(still.isDeleted, true);
  assert.equal(nextState(still, session([]), T0 + 3).isDeleted, false);
});
