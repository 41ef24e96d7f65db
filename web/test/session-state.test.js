import assert from "node:assert/strict";
import test from "node:test";

import {
  combined,
  elapsed_ms,
  failedSteps,
  headlineOf,
  milestoneOf,
  needsDefinitions,
  nextState,
  silence_ms,
  timeLeft,
  titleOf,
  titleOfMany,
  took_ms,
  withDefinitions,
} from "../lib/session-state.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").StartedStep} StartedStep */
/** @typedef {import("../lib/session-state.js").SessionState} SessionState */

const T0 = Date.parse("2026-01-01T00:00:00+00:00");
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const ESTIMATES = [60_000, 30_000, 30_000];

/** @param {number} ms */
const iso = (ms) => new Date(T0 + ms).toISOString();

/**
 * A session of three steps; those not given are pending.
 * @param {Partial<StartedStep>[]} started
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
function session(started, changes = {}) {
  const steps = ESTIMATES.map((_, index) => {
    const step = { step: index + 1, name: `STEP${index + 1}`, elapsed_ms: 0, timeout_ms: 120_000 };
    const given = started[index];
    if (!given) return { ...step, status: /** @type {const} */ ("pending"), elapsed_ms: /** @type {const} */ (0) };
    return {
      ...step,
      status: /** @type {const} */ ("running"),
      started_at: iso(0),
      completed_at: null,
      message: "",
      error: "",
      ...given,
    };
  });
  const current_step = changes.current_step ?? started.length;
  return {
    session_id: "job",
    current_step,
    total_steps: 3,
    status: started.length ? "running" : "pending",
    steps,
    percentage: Math.floor((100 * started.filter((step) => step.status === "success").length) / 3),
    estimated_remaining_ms: ESTIMATES.slice(current_step).reduce((sum, ms) => sum + ms, 0),
    ...changes,
  };
}

/** @type {Progress} */
const absent = { ...session([]), status: "not_found", total_steps: 0, steps: [], estimated_remaining_ms: 0 };

/** The state after some updates. @param {...[number, Progress]} updates Milliseconds, and data. */
function after(...updates) {
  /** @type {SessionState | null} */
  let state = null;
  for (const [ms, data] of updates) state = nextState(state, data, T0 + ms);
  return /** @type {SessionState} */ (/** @type {unknown} */ (state));
}

const done = (/** @type {number} */ ms) => ({
  status: /** @type {const} */ ("success"),
  started_at: iso(0),
  completed_at: iso(ms),
  elapsed_ms: ms,
});

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

test("a running session shows at most 99 percent", () => {
  const full = { status: /** @type {const} */ ("running"), percentage: 100 };
  assert.equal(after([0, session([{}], full)]).percentage, 99);
  assert.equal(after([0, session([{}], { ...full, status: "completed" })]).percentage, 100);
  assert.equal(after([0, session([{}], { ...full, status: "error" })]).percentage, 100);
});

test("the bar falls only at a retry, and the retried step is known until it ends", () => {
  const failed = session([done(1000), { ...done(2000), status: "error" }], { status: "error", percentage: 66 });
  const before = after([2000, failed]);
  const again = session([done(1000), { started_at: iso(3000) }], { percentage: 33 });
  const state = nextState(before, again, T0 + 3000);
  assert.deepEqual([state.percentage, state.retried, state.isSetBack], [33, 2, true]);
  const slower = nextState(state, { ...again, percentage: 30 }, T0 + 4000);
  assert.deepEqual([slower.percentage, slower.retried, slower.isSetBack], [33, 2, true]);
  const next = session([done(1000), { ...done(5000), started_at: iso(3000) }], { percentage: 66 });
  assert.deepEqual([nextState(slower, next, T0 + 5000).retried], [0]);
  assert.equal(milestoneOf(before, state)?.key, "set_back");
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

test("silence is shown after 30 seconds, while the session runs", () => {
  const state = after([0, session([{}])]);
  assert.equal(silence_ms(state, T0 + 29_999), null);
  assert.equal(silence_ms(state, T0 + 34_000), 34_000);
  assert.equal(silence_ms(after([0, session([])]), T0 + MINUTE), null);
  assert.equal(silence_ms(after([0, session([done(1)], { status: "completed" })]), T0 + MINUTE), null);
});

test("silence counts from the last transition, also on a page that was opened later", () => {
  assert.equal(silence_ms(after([MINUTE, session([done(1000)])]), T0 + MINUTE), MINUTE - 1000);
});

test("a report of progress, which has no time, ends the silence", () => {
  const reported = session([{ progress: { current: 1, total: 2 } }]);
  const state = after([0, session([{}])], [40_000, session([{}])], [41_000, reported]);
  assert.equal(silence_ms(state, T0 + 70_000), null);
  assert.equal(silence_ms(state, T0 + 71_000), 30_000);
  assert.equal(silence_ms(after([MINUTE, reported]), T0 + MINUTE), null);
});

test("a repeated update does not end the silence", () => {
  const state = after([0, session([{}])], [20_000, session([{}])], [34_000, session([{}])]);
  assert.equal(silence_ms(state, T0 + 34_000), 34_000);
});

test("a wrong clock does not cause silence", () => {
  const hour = 60 * MINUTE;
  const state = after([hour, session([{}])], [hour + SECOND, session([done(1000), { started_at: iso(1000) }])]);
  assert.equal(silence_ms(state, T0 + hour + SECOND), null);
});

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
  assert.equal(took_ms(session([])), 0);
});

test("the headline names the running step, or the first failed one", () => {
  assert.deepEqual(headlineOf(session([done(1), {}])), {
    key: "running",
    values: { step: 2, total: 3, name: "STEP2" },
  });
  const failed = session([{ status: "error" }, { status: "error" }], { status: "error" });
  assert.equal(headlineOf(failed).values.step, 1);
  assert.deepEqual(
    failedSteps(failed).map(({ step }) => step),
    [1, 2],
  );
  assert.equal(headlineOf(absent).key, "not_found");
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
  assert.deepEqual(milestone(session([{}]), session([done(1)], { status: "completed" })), ["completed", 1]);
  assert.equal(milestone(session([{}]), session([{ status: "error" }], { status: "error" })), null);
  assert.equal(
    milestone(session([done(1)], { status: "completed" }), session([done(2)], { status: "completed" })),
    null,
  );
  assert.equal(milestone(session([{}]), session([{ message: "news" }])), null);
});

test("the title begins with the percentage or a mark", () => {
  const name = "原稿\u202e生\u2069成";
  const running = session([{ name }], { percentage: 43 });
  assert.equal(titleOf(after([0, running]), "job"), "43% 原稿生成 – job");
  assert.equal(titleOf(after([0, session([])]), "job"), "0% – job");
  assert.equal(titleOf(after([0, absent]), "job"), "… – job");
  assert.equal(titleOf(after([0, session([{}], { status: "completed" })]), "job"), "✓ – job");
  assert.equal(titleOf(after([0, session([{}], { status: "error" })]), "job"), "✗ – job");
});

test("the title of several jobs shows a failure, or their common percentage", () => {
  const running = after([0, session([{}], { percentage: 41 })]);
  const completed = after([0, session([{}], { status: "completed", percentage: 100 })]);
  const failed = after([0, session([{}], { status: "error", percentage: 100 })]);
  assert.equal(titleOfMany([running, completed], 2, "2 jobs"), "70% – 2 jobs");
  assert.equal(titleOfMany([running, failed], 2, "2 jobs"), "✗ – 2 jobs");
  assert.deepEqual(combined([completed, completed], 2), { status: "completed", percentage: 100 });
  assert.deepEqual(combined([completed], 2), { status: "running", percentage: 50 }, "the other job has no data");
});
