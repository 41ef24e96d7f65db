/* What the server knows of steps, beside a session: the tracker's call, and what a page keeps of it. */
import assert from "node:assert/strict";
import test from "node:test";

import { knowing, nextState } from "../lib/session-state.js";
import { StepTimes } from "../lib/step-times.js";
import { learnedFrom } from "../lib/usual-times.js";
import { absent, after, iso, OWN, session, T0, timedSession } from "./fakes/sessions.js";
import { Page, settled, status } from "./fakes.js";

const learned = { name: "STEP1", learned: { runs: 6, p50_ms: 5000, p90_ms: 9000 } };
const KNOWN = { learned: new Map([["STEP1", 5000]]) };
const { signal } = new AbortController();
/** @param {number} start_ms */
const ofHistory = (start_ms) => timedSession([{ started_at: iso(start_ms) }], { p50_ms: 9000, basis: "history" });

test("the steps of a session, and those of the server, are got with the token", async () => {
  const page = new Page({ baseUrl: "/jobs", token: "secret" });
  page.tracker.sessionId = "a/b c";
  const asked = page.tracker.steps();
  await settled();
  const [{ url, init } = assert.fail()] = page.requests;
  assert.equal(url, "/jobs/api/steps?session_id=a%2Fb%20c");
  assert.equal(init.headers.Authorization, "Bearer secret");
  await page.answer(Response.json({ steps: [learned] }));
  assert.deepEqual(await asked, [learned]);
  const refused = assert.rejects(page.tracker.serverSteps(), { name: "RequestError", status: 403 });
  await settled();
  assert.equal(page.requests.at(-1)?.url, "/jobs/api/steps");
  await page.answer(status(403));
  await refused;
});

test("what was learned is known by the names of steps", () => {
  assert.deepEqual(learnedFrom([learned, { name: "new" }]), KNOWN.learned);
});

test("a page asks once for the server's own steps, and only while it needs them", async () => {
  const page = new Page();
  /** @type {object[]} */
  const known = [];
  const times = new StepTimes((more) => void known.push(more));
  const declared = timedSession([{}], { p50_ms: 9000 });
  for (const data of [absent, declared, session([{}]), session([{}])]) {
    times.update(after([0, data]), page.tracker, signal);
  }
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/steps"],
  );
  await page.answer(Response.json({ total_steps: 3, steps: OWN }));
  assert.deepEqual(known, [{ own: OWN }]);
});

test("a page asks once for each run what was learned, from when the server uses it", async () => {
  const page = new Page();
  /** @type {object[]} */
  const known = [];
  const times = new StepTimes((more) => void known.push(more));
  const first = after([0, timedSession([{}], { p50_ms: 9000 })], [0, ofHistory(0)]);
  times.update(first, page.tracker, signal);
  times.update(nextState(first, timedSession([{}], { p50_ms: 8000, basis: "history" }), T0), page.tracker, signal);
  assert.equal(page.requests.length, 1);
  const next = nextState(nextState(first, absent, T0), ofHistory(0), T0);
  times.update(next, page.tracker, signal);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/steps?session_id=job", "/api/steps?session_id=job"],
  );
  page.requests[0]?.answer(Response.json({ steps: [] }));
  await settled();
  assert.deepEqual(known, [], "it is of the former run");
  await page.answer(Response.json({ steps: [learned] }));
  assert.deepEqual(known, [KNOWN]);
});

test("what was learned of a run is not known of the next one", () => {
  const before = knowing(after([0, ofHistory(0)]), KNOWN, T0);
  const next = nextState(nextState(before, absent, T0), ofHistory(0), T0);
  assert.deepEqual([before.known.learned.size, next.known.learned.size], [1, 0]);
});

test("a server that refuses is not asked again, and one that was not waited for is", async () => {
  const page = new Page();
  const times = new StepTimes(() => assert.fail());
  const state = after([0, ofHistory(0)]);
  const stopping = new AbortController();
  times.update(state, page.tracker, stopping.signal);
  stopping.abort();
  await settled();
  times.update(state, page.tracker, signal);
  await page.answer(status(403));
  times.update(state, page.tracker, signal);
  assert.equal(page.requests.length, 2);
});
