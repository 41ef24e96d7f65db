import assert from "node:assert/strict";
import test from "node:test";

import { isMoving, percentageAt } from "../lib/bar-percentage.js";
import { knowing, movedOn, nextState } from "../lib/session-state.js";
import { after, done, iso, session, T0, timedSession } from "./fakes/sessions.js";

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
