import assert from "node:assert/strict";
import test from "node:test";

import { lifeSignOf } from "../lib/life-signs.js";
import { after, done, iso, MINUTE, SECOND, session, T0 } from "./fakes/sessions.js";

/** @typedef {import("../lib/wire.js").StartedStep} StartedStep */

const LIMIT = 2 * MINUTE;

/** @param {"live" | "stalled"} state @param {number} [since_ms] @returns {Partial<StartedStep>} */
const leased = (state, since_ms = 0) => ({ liveness: { state, since: iso(since_ms) } });

/** For how long the worker is called silent. @param {import("../lib/session-state.js").SessionState} state @param {number} ms */
function silence(state, ms) {
  const sign = lifeSignOf(state, T0 + ms);
  return sign?.kind === "silent" ? sign.silent_ms : sign;
}

test("only a running session can be silent", () => {
  for (const data of [session([]), session([{}], { status: "error" }), session([done(1)], { status: "completed" })]) {
    assert.equal(silence(after([0, data]), 9 * MINUTE), null);
  }
});

test("silence counts from the last transition, also on a page that was opened later", () => {
  const state = after([9 * MINUTE, session([done(1000), { started_at: iso(1000) }])]);
  assert.equal(silence(state, 9 * MINUTE), 9 * MINUTE - 1000);
});

test("a report of progress, which has no time, ends the silence", () => {
  const reported = session([{ progress: { current: 1, total: 2 } }]);
  const state = after([0, session([{}])], [LIMIT, session([{}])], [LIMIT + SECOND, reported]);
  assert.equal(silence(state, LIMIT + 30 * SECOND), null);
  assert.equal(silence(state, LIMIT + 31 * SECOND), 30 * SECOND);
  assert.equal(silence(after([9 * MINUTE, reported]), 9 * MINUTE), null);
});

test("a repeated update does not end the silence", () => {
  const state = after([0, session([{}])], [MINUTE, session([{}])], [3 * MINUTE, session([{}])]);
  assert.equal(silence(state, 3 * MINUTE), 3 * MINUTE);
});

test("a wrong clock does not cause silence", () => {
  const hour = 60 * MINUTE;
  const state = after([hour, session([{}])], [hour + SECOND, session([done(1000), { started_at: iso(1000) }])]);
  assert.equal(silence(state, hour + SECOND), null);
});

test("a worker that has stopped to show them is stalled since the last one, at once", () => {
  const state = after([0, session([{}, leased("stalled", 1000)])]);
  assert.deepEqual(lifeSignOf(state, T0 + 2000), { kind: "stalled", step: 2, since_ms: T0 + 1000 });
  const back = after([0, session([leased("stalled")])], [5000, session([leased("live", 5000)])]);
  assert.equal(lifeSignOf(back, T0 + 6000), null);
});
