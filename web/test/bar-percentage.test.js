import assert from "node:assert/strict";
import test from "node:test";

import { isMoving, percentageAt } from "../lib/bar-percentage.js";
import { knowing, movedOn, nextState } from "../lib/session-state.js";
import { after, afterKnowing, done, iso, session, T0, timedSession } from "./fakes/sessions.js";

/** @typedef {import("../lib/session-state.js").SessionState} SessionState */

/** @param {SessionState} state @param {number} ms */
const at = (state, ms) => percentageAt(state, T0 + ms);

test("between two updates the bar moves evenly, toward 100 at the end that is expected", () => {
  const state = after([0, timedSession([done(0), done(0), {}], { percentage: 20, p50_ms: 80_000, p90_ms: 99_000 })]);
  assert.deepEqual([at(state, 0), at(state, 20_000), at(state, 40_000)], [20, 40, 60]);
  assert.equal(movedOn(state, T0 + 40_300).percentage, 60);
  assert.equal(movedOn(state, T0), state, "what shows the same is the same");
  assert.equal(at(movedOn(state, T0 + 40_000), 20_000), 60, "a clock may be set back");
});

test("it is never past 99 before the end", () => {
  const state = after([0, timedSession([done(0), done(0), {}], { p50_ms: 80_000 })]);
  assert.deepEqual([at(state, 79_900), at(state, 80_000), at(state, 9_000_000)], [99, 99, 99]);
  const late = after([
    9000,
    timedSession([{ started_at: iso(9000) }, done(0), done(0)], { percentage: 40, p50_ms: 9000 }),
  ]);
  assert.equal(at(late, 99_000), 40, "no end is expected any more");
  const ended = timedSession([done(1), done(1), done(1)], { percentage: 100 }, { status: "completed" });
  assert.equal(nextState(state, ended, T0 + 90_000).percentage, 100);
});

test("it waits for a step that takes longer, so that the next ones keep their share", () => {
  const state = after([0, timedSession([{}], { p50_ms: 120_000 })]);
  assert.deepEqual([at(state, 30_000), at(state, 60_000), at(state, 90_000)], [25, 50, 50]);
});

test("a page that learns what the next steps take sets its bar back to where it has to wait", () => {
  const data = timedSession([{}], { p50_ms: 120_000, p90_ms: 150_000, basis: "history" });
  const state = after([110_000, data]);
  assert.equal(state.percentage, 91);
  const learned = new Map([
    ["STEP2", 40_000],
    ["STEP3", 20_000],
  ]);
  assert.equal(knowing(state, { learned }, T0 + 110_000).percentage, 50);
});

test("it does not fall when the server expects less", () => {
  const first = after([0, timedSession([done(0), done(0), {}], { p50_ms: 100_000 })]);
  const data = timedSession([done(0), done(0), { message: "x" }], { percentage: 30, p50_ms: 250_000 });
  const state = nextState(movedOn(first, T0 + 50_000), data, T0 + 50_000);
  assert.deepEqual([state.percentage, at(state, 150_000)], [50, 75]);
});

test("a retry sets it back to what the server says", () => {
  const before = after([0, timedSession([done(0), done(0), {}], { percentage: 10, p50_ms: 100_000 })]);
  const again = timedSession([done(0), done(0), { started_at: iso(50_000) }], { percentage: 5, p50_ms: 150_000 });
  const state = nextState(movedOn(before, T0 + 50_000), again, T0 + 50_000);
  assert.deepEqual([state.percentage, state.isSetBack], [5, true]);
});

test("a page that is opened midway shows what has passed since the last step began", () => {
  const started = [done(0), done(0), { started_at: iso(0) }];
  assert.equal(after([30_000, timedSession(started, { p50_ms: 60_000 })]).percentage, 50);
  const reporting = [done(0), done(0), { started_at: iso(0), progress: { current: 5, total: 10 } }];
  const state = after([30_000, timedSession(reporting, { percentage: 50, p50_ms: 60_000, basis: "rate" })]);
  assert.deepEqual([state.percentage, at(state, 45_000)], [50, 75], "since when is not known");
});

test("without a known end, and without a sign of life, it stays", () => {
  for (const data of [
    timedSession([{}], { percentage: 20 }),
    timedSession([{ liveness: { state: "stalled", since: iso(0) } }], { percentage: 20, p50_ms: 60_000 }),
    session([{}], { percentage: 20 }),
  ]) {
    const state = after([0, data]);
    assert.deepEqual([isMoving(data), at(state, 50_000)], [false, 20]);
  }
});

test("when a job has failed, the bar shows the share of what succeeded", () => {
  const failed = { ...done(9), status: /** @type {const} */ ("error") };
  const inError = { status: /** @type {const} */ ("error") };
  const data = timedSession([done(60_000), failed], { percentage: 70 }, inError);
  const running = after([0, timedSession([done(60_000), {}], { percentage: 50, p50_ms: 60_000 })]);
  assert.equal(nextState(movedOn(running, T0 + 25_000), data, T0 + 30_000).percentage, 50);
  const undeclared = session([done(1000), { ...failed, elapsed_ms: 2000 }], inError);
  const { time } = timedSession([], { percentage: 75, basis: "rate" });
  assert.equal(after([0, { ...undeclared, ...(time && { time }) }]).percentage, 25);
  const untold = timedSession([done(60_000), failed], { percentage: 70, basis: "history" }, inError);
  assert.equal(after([0, untold]).percentage, 70, "what was declared is not what the server expected");
  const learned = new Map([
    ["STEP2", 120_000],
    ["STEP3", 120_000],
  ]);
  assert.equal(nextState(afterKnowing({ learned }, [0, session([])]), untold, T0).percentage, 20);
});
