import assert from "node:assert/strict";
import test from "node:test";

import { failuresOf } from "../lib/failures.js";
import { headlineOf, milestoneOf } from "../lib/headline.js";
import { nextState } from "../lib/session-state.js";
import { elapsed_ms, took_ms } from "../lib/steps.js";
import { absent, after, done, iso, openSession, session, T0 } from "./fakes/sessions.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").StartedStep} StartedStep */

const inError = { status: /** @type {const} */ ("error") };

/** @param {string} [error] @param {StartedStep["conclusion"]} [conclusion] @returns {Partial<StartedStep>} */
const failed = (error = "", conclusion) => ({ ...done(1), ...inError, error, ...(conclusion && { conclusion }) });

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

test("the headline names the running step, or the first failed one", () => {
  assert.deepEqual(headlineOf(session([done(1), {}])), {
    key: "running",
    values: { step: 2, total: 3, name: "STEP2" },
  });
  assert.deepEqual(headlineOf(session([failed(), failed()], inError)), { key: "error", values: { step: 1 } });
  assert.equal(headlineOf(absent).key, "not_found");
  assert.equal(headlineOf(absent, true).key, "deleted");
  assert.equal(headlineOf(openSession([{}])).key, "running_open");
});

test("the headline of the end says how long it took, from a second on", () => {
  const ended = { status: /** @type {const} */ ("completed") };
  assert.deepEqual(headlineOf(session([done(240_000)], ended)), {
    key: "completed_in",
    values: { duration: { duration_ms: 240_000 } },
  });
  for (const data of [session([done(999)], ended), openSession([], ended)]) {
    assert.equal(headlineOf(data).key, "completed");
  }
});

for (const [name, data, headline, failures] of /** @type {[string, Progress, string, string[]][]} */ ([
  ["a step", session([failed("disk full")], inError), "error", ["failure: disk full"]],
  ["a cancelled step", session([failed("", "cancelled")], inError), "cancelled", ["failure_cancelled: "]],
  ["a lost step", session([failed("no sign", "lost")], inError), "lost", ["failure_lost: no sign"]],
  ["the session", session([], { ...inError, error: "no disk" }), "error_whole", ["failure_whole: no disk"]],
  ["the session, without a text", session([done(1)], inError), "error_whole", ["failure_whole: "]],
  [
    "the cancelled session, whose step has the same text",
    session([failed("enough", "cancelled")], { ...inError, error: "enough", conclusion: "cancelled" }),
    "cancelled_whole",
    ["failure_cancelled: enough"],
  ],
  [
    "the session, for another reason than its step",
    session([failed("x")], { ...inError, error: "y", conclusion: "lost" }),
    "lost_whole",
    ["failure_lost_whole: y", "failure: x"],
  ],
  ["a step beside one that runs", session([failed("x"), {}]), "running", ["failure: x"]],
])) {
  test(`the report of a failure: ${name}`, () => {
    assert.equal(headlineOf(data).key, headline);
    assert.deepEqual(
      failuresOf(data).map(({ key, error }) => `${key}: ${error}`),
      failures,
    );
  });
}

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
