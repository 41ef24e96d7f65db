/* What the server knows of steps, beside a session: the tracker's call, and what a page keeps of it. */
import assert from "node:assert/strict";
import test from "node:test";

import { StepTimes } from "../lib/step-times.js";
import { learnedFrom } from "../lib/usual-times.js";
import { absent, after, OWN, session } from "./fakes/sessions.js";
import { Page, settled, status } from "./fakes.js";

/** @param {number} runs */
const learned = (runs) => ({ name: `after ${runs}`, learned: { runs, p50_ms: 1000 * runs, p90_ms: 9000 } });

test("the steps of a profile are got with the token", async () => {
  const page = new Page({ baseUrl: "/jobs", token: "secret" });
  const asked = page.tracker.steps({ profile: "a/b c" });
  await settled();
  const [{ url, init } = assert.fail()] = page.requests;
  assert.equal(url, "/jobs/api/steps?profile=a%2Fb%20c");
  assert.equal(init.headers.Authorization, "Bearer secret");
  await page.answer(Response.json({ steps: [learned(6)] }));
  assert.deepEqual(await asked, [learned(6)]);
  const refused = assert.rejects(page.tracker.steps(), { name: "RequestError", status: 403 });
  await settled();
  assert.equal(page.requests.at(-1)?.url, "/jobs/api/steps");
  await page.answer(status(403));
  await refused;
});

test("what a few runs took is not what a step usually takes", () => {
  assert.deepEqual(learnedFrom([learned(4), learned(5), { name: "new" }]), new Map([["after 5", 5000]]));
});

test("a page asks once for the steps of a profile, and once for the server's own", async () => {
  const page = new Page();
  /** @type {object[]} */
  const known = [];
  const times = new StepTimes("nightly", (more) => void known.push(more));
  const { signal } = new AbortController();
  for (const data of [absent, session([{}]), session([{}])]) times.update(after([0, data]), page.tracker, signal);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/steps", "/api/steps?profile=nightly"],
  );
  await page.answer(Response.json({ steps: [learned(5)] }));
  page.requests[0]?.answer(Response.json({ total_steps: 3, steps: OWN }));
  await settled();
  assert.deepEqual(known, [{ learned: new Map([["after 5", 5000]]) }, { own: OWN }]);
});

test("a server that refuses is not asked again, and one that was not waited for is", async () => {
  const page = new Page();
  const times = new StepTimes("nightly", () => assert.fail());
  const state = after([0, session([])]);
  const stopping = new AbortController();
  times.update(state, page.tracker, stopping.signal);
  stopping.abort();
  await settled();
  const { signal } = new AbortController();
  times.update(state, page.tracker, signal);
  await page.answer(status(403));
  times.update(state, page.tracker, signal);
  assert.equal(page.requests.length, 2);
});
