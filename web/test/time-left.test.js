import assert from "node:assert/strict";
import test from "node:test";

import { nextState } from "../lib/session-state.js";
import { needsOwnSteps, timeLeft } from "../lib/time-left.js";
import {
  after,
  afterKnowing,
  done,
  iso,
  OWN,
  openSession,
  SECOND,
  session,
  T0,
  timedSession,
} from "./fakes/sessions.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */

/** One number, as estimates give it. @param {import("../lib/session-state.js").SessionState} state @param {number} ms */
function left(state, ms) {
  const found = timeLeft(state, T0 + ms);
  if (found === null || typeof found === "string") return found;
  assert.equal(found.p50_ms, found.p90_ms);
  return found.p50_ms;
}

for (const [name, data] of /** @type {[string, Progress][]} */ ([
  ["whose end is not known", timedSession([{}], {})],
  ["that is pending", timedSession([], {})],
  ["that is completed", timedSession([done(1)], { percentage: 100 }, { status: "completed" })],
  ["whose worker is stalled", timedSession([{ liveness: { state: "stalled", since: iso(0) } }], { p50_ms: 9 })],
  ["with steps of its own that declared nothing", session([{ name: "Parse" }])],
  ["that is open-ended", openSession([{}])],
])) {
  test(`a session ${name} has no time left`, () => {
    assert.equal(timeLeft(afterKnowing({ own: OWN }, [0, data]), T0), null);
  });
}

// By the estimates of the server's own steps

/** @param {...[number, Progress]} updates */
const ofOwnSteps = (...updates) => afterKnowing({ own: OWN }, ...updates);

test("the time left is the rest of the running step and the estimates of the later ones", () => {
  const state = ofOwnSteps([0, session([{}])]);
  assert.equal(left(state, 0), 120_000);
  assert.equal(left(state, 20_000), 100_000);
});

test("past its estimate, a step has no number", () => {
  const state = ofOwnSteps([0, session([{}])]);
  assert.equal(left(state, 63_000), 60_000);
  assert.equal(left(state, 63_001), "longer_than_expected");
});

test("past the estimate of the last step, its end is near until it is late", () => {
  const state = ofOwnSteps([0, session([done(0), done(0), {}])]);
  assert.equal(left(state, 32_000), 0);
  assert.equal(left(state, 32_001), "longer_than_expected");
});

test("between two steps, the time left is the estimate of the later ones", () => {
  assert.equal(left(ofOwnSteps([10_000, session([done(10_000)])]), 15_000), 60_000);
});

test("there is no time left before the start and after the end", () => {
  for (const status of /** @type {const} */ (["not_found", "pending", "error", "completed"])) {
    assert.equal(left(ofOwnSteps([0, session([], { status })]), 0), null);
  }
});

test("the time left never grows without a retry", () => {
  const started = session([done(5000), {}]);
  const earlier = session([{ started_at: iso(0) }, { started_at: iso(6000) }], { current_step: 2 });
  // Step 1 ran beside step 2 and is the current one again, without a start of its own.
  const back = session([{ message: "x" }, { started_at: iso(6000) }], { current_step: 1 });
  assert.equal(left(ofOwnSteps([0, session([{}])], [6000, started]), 6000), 54_000);
  assert.equal(left(ofOwnSteps([0, session([{}])], [6000, earlier], [7000, back]), 7000), 59_000);
});

test("a retry may make the time left grow", () => {
  const first = ofOwnSteps([0, session([{}])], [50_000, session([{}])]);
  assert.equal(left(first, 50_000), 70_000);
  const again = nextState(first, session([{ started_at: iso(50_000) }]), T0 + 50_000);
  assert.equal(left(again, 50_000), 120_000);
});

test("only a running session without any time asks for the server's own steps", () => {
  assert.ok(needsOwnSteps(after([0, session([{}])])));
  for (const data of [session([]), openSession([{}]), timedSession([{}], {})]) {
    assert.ok(!needsOwnSteps(after([0, data])));
  }
  const { time: _, ...declared } = timedSession([{}], {});
  assert.ok(!needsOwnSteps(after([0, declared])));
  assert.equal(left(afterKnowing({ own: OWN }, [0, declared]), 0), null);
});

test("estimates count only for a session of the server's own steps", () => {
  for (const own of [
    [],
    OWN.slice(1),
    OWN.map((step) => ({ ...step, name: "other" })),
    OWN.map((step) => ({ ...step, estimated_ms: SECOND })),
  ]) {
    assert.equal(left(afterKnowing({ own }, [0, session([{}])]), 0), null);
  }
});
