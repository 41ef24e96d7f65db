import assert from "node:assert/strict";
import test from "node:test";

import { nextState } from "../lib/session-state.js";
import { needsDefinitions, timeLeft, withDefinitions } from "../lib/time-left.js";
import { after, done, ESTIMATES, iso, session, T0 } from "./fakes/sessions.js";

test("the time left is the rest of the running step and the estimates of the later ones", () => {
  const state = after([0, session([])], [0, session([{}])]);
  assert.equal(timeLeft(state, T0), 120_000);
  assert.equal(timeLeft(state, T0 + 20_000), 100_000);
});

test("past its estimate, a step has no number", () => {
  const state = after([0, session([])], [0, session([{}])]);
  assert.equal(timeLeft(state, T0 + 60_000), 60_000);
  assert.equal(timeLeft(state, T0 + 60_001), "longer");
});

test("between two steps, the time left is the estimate of the later ones", () => {
  const state = after([0, session([])], [0, session([{}])], [10_000, session([done(10_000)])]);
  assert.equal(timeLeft(state, T0 + 15_000), 60_000);
});

test("there is no time left before the start and after the end", () => {
  for (const status of /** @type {const} */ (["not_found", "pending", "error", "completed"])) {
    assert.equal(timeLeft(after([0, session([], { status })]), T0), null);
  }
});

test("the time left never grows without a retry", () => {
  const started = session([done(5000), {}]);
  const earlier = session([{ started_at: iso(0) }, { started_at: iso(6000) }], { current_step: 2 });
  // Step 1 ran beside step 2 and is the current one again, without a start of its own.
  const back = session([{ message: "x" }, { started_at: iso(6000) }], { current_step: 1 });
  const state = after([0, session([])], [0, session([{}])], [6000, earlier], [7000, back]);
  assert.equal(timeLeft(after([0, session([])], [0, session([{}])], [6000, started]), T0 + 6000), 54_000);
  assert.equal(timeLeft(state, T0 + 7000), 59_000);
});

test("a retry may make the time left grow", () => {
  const first = after([0, session([])], [0, session([{}])], [50_000, session([{}])]);
  assert.equal(timeLeft(first, T0 + 50_000), 70_000);
  const again = nextState(first, session([{ started_at: iso(50_000) }]), T0 + 50_000);
  assert.equal(timeLeft(again, T0 + 50_000), 120_000);
});

test("a page that was opened midway shows no estimate", () => {
  const state = after([0, session([done(1000), {}])]);
  assert.equal(timeLeft(state, T0), null);
  assert.ok(needsDefinitions(state));
  assert.ok(!needsDefinitions(after([0, session([])], [0, session([{}])])));
});

const definitions = {
  total_steps: 3,
  steps: ESTIMATES.map((estimated_ms, index) => ({ step: index + 1, name: `STEP${index + 1}`, estimated_ms })),
};

test("the server's definitions give the estimate if they are this session's", () => {
  const state = after([0, session([done(1000), {}])]);
  assert.equal(timeLeft(withDefinitions(state, definitions), T0 + 10_000), 50_000);
  for (const other of [
    { ...definitions, total_steps: 4 },
    { ...definitions, steps: definitions.steps.map((step) => ({ ...step, name: "other" })) },
    { ...definitions, steps: definitions.steps.map((step) => ({ ...step, estimated_ms: 1 })) },
  ]) {
    assert.equal(withDefinitions(state, other), state);
  }
});
