/* What is asked of a worker: the tracker's calls, and what a page says of them. */
import assert from "node:assert/strict";
import test, { mock } from "node:test";

import { headlineOf } from "../lib/headline.js";
import { canAsk, hasNewRequest, isOver, requestSentence } from "../lib/requests.js";
import { SessionRequests } from "../lib/session-requests.js";
import { done, iso, session } from "./fakes/sessions.js";
import { livePage, ok, Page, progress, settled, status, stepEvent } from "./fakes.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("../lib/wire.js").RequestError} RequestError */
/** @typedef {import("../lib/wire.js").SessionRequest} SessionRequest */
/** @typedef {import("../lib/wire.js").StartedStep} StartedStep */

/** @param {Partial<SessionRequest>} [changes] @returns {SessionRequest} */
const request = (changes) => ({
  id: "r1",
  kind: "cancel",
  step: null,
  state: "asked",
  asked_at: iso(5000),
  ...changes,
});

/** @param {number} status @param {Record<string, string>} [headers] */
const refusal = (status, headers = {}) => Response.json({ type: "/problems/some", detail: "No." }, { status, headers });

/** @param {Page} page */
const sent = ({ requests }) => requests.map(({ url, init }) => [init.method ?? "GET", url]);

// The tracker

test("requests are kept by polls, and by the fold of events", async () => {
  const page = await livePage();
  const details = { accepts: /** @type {["cancel"]} */ (["cancel"]), requests: [request()] };
  page.stream.send("step", stepEvent(2, details), "e-2");
  assert.deepEqual(page.tracker.data, { ...progress(2), ...details });
  page.stream.send("session", { session: { ...stepEvent(2).session, accepts: ["cancel"] } }, "e-3");
  assert.deepEqual(page.tracker.data, { ...progress(2), accepts: ["cancel"] });
});

test("a request is posted with a key, and resolves to the server's answer", async () => {
  const page = new Page({ baseUrl: "/jobs", token: "secret" });
  const asked = page.tracker.request("cancel", { reason: "wrong file" });
  await settled();
  const [{ url, init } = assert.fail()] = page.requests;
  assert.deepEqual([init.method, url], ["POST", "/jobs/api/progress/job/requests"]);
  assert.deepEqual(JSON.parse(init.body), { kind: "cancel", reason: "wrong file" });
  assert.equal(init.headers.Authorization, "Bearer secret");
  assert.match(init.headers["Idempotency-Key"], /^[0-9a-f]{32}$/);
  await page.answer(Response.json(request(), { status: 202 }));
  assert.deepEqual(await asked, request());
  assert.equal(page.clock.timers.size, 0);
});

test("a request that may not have arrived is sent again under its key", async () => {
  const page = new Page();
  const asked = page.tracker.request("retry");
  for (const answer of [new Error("no network"), status(503), refusal(409, { "Retry-After": "1" })]) {
    await page.answer(answer);
    await page.clock.advance(4000);
  }
  await page.answer(Response.json(request(), { status: 202 }));
  assert.deepEqual(await asked, request());
  assert.equal(page.requests.length, 4);
  assert.equal(new Set(page.requests.map(({ init }) => init.headers["Idempotency-Key"])).size, 1);
});

test("a server that does not answer is given up, and a refusal at once", async () => {
  const page = new Page();
  const unanswered = page.tracker.request("cancel").catch((error) => error);
  await page.clock.advance(60_000);
  const failure = /** @type {RequestError} */ (await unanswered);
  assert.deepEqual([failure.name, failure.status, page.requests.length], ["RequestError", 0, 4]);
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });

  for (const refused of [refusal(409), refusal(403), refusal(503, { "Retry-After": "120" })]) {
    const { status } = refused;
    const asked = assert.rejects(page.tracker.request("cancel"), {
      name: "RequestError",
      status,
      type: "/problems/some",
    });
    await page.answer(refused);
    await asked;
  }
});

test("a signal ends a request, also between two attempts", async () => {
  const page = new Page();
  const stopping = new AbortController();
  const { signal } = stopping;
  const waiting = page.tracker.request("cancel", { signal });
  await page.answer(status(503));
  const open = page.tracker.request("cancel", { signal });
  stopping.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await assert.rejects(open, { name: "AbortError" });
  await assert.rejects(page.tracker.mayRequest({ signal }), { name: "AbortError" });
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
});

for (const [answer, mayRequest] of /** @type {[Response, boolean][]} */ ([
  [status(200, { Allow: "GET, HEAD, POST" }), true],
  [status(200, { Allow: "GET, HEAD" }), false],
  [status(200), false],
  [status(403, { Allow: "GET, HEAD, POST" }), false],
  [status(404), false],
])) {
  test(`a server that answers ${answer.status} with Allow: ${answer.headers.get("Allow")} ${mayRequest ? "lets" : "does not let"} this reader ask`, async () => {
    const page = new Page();
    const asked = page.tracker.mayRequest();
    await page.answer(answer);
    assert.equal(await asked, mayRequest);
    assert.deepEqual(sent(page), [["HEAD", "/api/progress/job/requests"]]);
  });
}

test("the parts of a step are got with the token", async () => {
  const page = new Page({ token: "secret" });
  const asked = page.tracker.parts(2);
  await settled();
  assert.deepEqual(sent(page), [["GET", "/api/progress/job/parts?step=2"]]);
  assert.equal(page.requests[0]?.init.headers.Authorization, "Bearer secret");
  const parts = [{ part: "a", status: "running", elapsed_ms: 0 }];
  await page.answer(Response.json({ parts, next: null }));
  assert.deepEqual(await asked, parts);
  const refused = assert.rejects(page.tracker.parts(3), { name: "RequestError", status: 404 });
  await settled();
  await page.answer(refusal(404));
  await refused;
});

// What may be asked

const accepts = /** @type {("cancel" | "retry")[]} */ (["cancel", "retry"]);
const failed = { ...done(1), status: /** @type {const} */ ("error") };
const inError = { status: /** @type {const} */ ("error"), accepts };

for (const [name, data, cancel, retry] of /** @type {[string, Progress, boolean, boolean][]} */ ([
  ["pending", session([], { accepts }), true, false],
  ["running", session([{}], { accepts }), true, false],
  ["running and accepts nothing", session([{}]), false, false],
  ["asked to cancel", session([{}], { accepts, requests: [request()] }), false, false],
  ["about to cancel", session([{}], { accepts, requests: [request({ state: "seen" })] }), false, false],
  ["stopping", session([{}], { accepts, requests: [request({ state: "honoured" })] }), false, false],
  [
    "running again",
    session([{ started_at: iso(6000) }], { accepts, requests: [request({ state: "honoured" })] }),
    true,
    false,
  ],
  ["declined", session([{}], { accepts, requests: [request({ state: "declined" })] }), true, false],
  ["failed", session([failed], inError), false, true],
  ["failed while a step runs", session([failed, {}], inError), true, false],
  ["asked to retry", session([failed], { ...inError, requests: [request({ kind: "retry" })] }), false, false],
  ["completed", session([], { accepts, status: "completed" }), false, false],
])) {
  test(`a job that is ${name} can ${cancel ? "" : "not "}be cancelled and ${retry ? "" : "not "}be retried`, () => {
    assert.deepEqual([canAsk("cancel", data), canAsk("retry", data)], [cancel, retry]);
  });
}

test("a failed job is over when no step runs any more", () => {
  assert.ok(isOver(session([failed], inError)));
  assert.ok(!isOver(session([failed, {}], inError)));
});

// What is said

/** @param {Partial<SessionRequest>} changes @param {Partial<StartedStep>[]} [steps] @param {Partial<Progress>} [more] */
const said = (changes, steps = [{}], more = {}) => {
  const sentence = requestSentence(session(steps, { ...more, requests: [request(changes)] }));
  return sentence && [sentence.look, sentence.key];
};

const stalled = { liveness: { state: /** @type {const} */ ("stalled"), since: iso(0) } };
const live = { liveness: { state: /** @type {const} */ ("live"), since: iso(0) } };
const completed = { status: /** @type {const} */ ("completed") };
const retry = /** @type {const} */ ("retry");

for (const [found, expected] of /** @type {[unknown, unknown][]} */ ([
  [said({}), ["asked", "cancel_asked"]],
  [said({ reason: "wrong file" }), ["asked", "cancel_asked_why"]],
  [said({}, [stalled]), ["asked", "cancel_unheard"]],
  [said({}, [stalled, live]), ["asked", "cancel_asked"]],
  [said({ state: "seen" }, [stalled]), ["seen", "cancel_seen"]],
  [said({ state: "honoured" }), ["seen", "cancel_seen"]],
  [said({ state: "honoured" }, [{ started_at: iso(6000) }]), null],
  [said({ state: "honoured" }, [failed], inError), null],
  [said({ state: "honoured", message: "2 files stay" }, [failed], inError), ["ended", "worker_says"]],
  [said({ state: "declined" }), ["ended", "cancel_declined"]],
  [said({ state: "declined", message: "no" }), ["ended", "cancel_declined_why"]],
  [said({ state: "too_late" }, [], completed), ["ended", "cancel_too_late"]],
  [said({ state: "too_late" }, [failed], inError), ["ended", "cancel_too_late_failed"]],
  [said({ state: "too_late" }, [failed, {}]), null],
  [said({ kind: retry }, [failed], inError), ["asked", "retry_asked"]],
  [said({ kind: retry, state: "seen" }, [failed], inError), ["seen", "retry_seen"]],
  [said({ kind: retry, state: "declined" }, [failed], inError), ["ended", "retry_declined"]],
  [said({ kind: retry, state: "declined", message: "no" }, [failed], inError), ["ended", "retry_declined_why"]],
  [said({ kind: retry, state: "honoured" }), null],
  [requestSentence(session([{}])), null],
])) {
  test(`a page says ${expected}`, () => assert.deepEqual(found, expected));
}

test("the headline of a cancelled job names the reader who cancelled it", () => {
  const cancelled = { ...failed, conclusion: /** @type {const} */ ("cancelled") };
  const requests = [request({ state: "honoured" })];
  const ended = { ...inError, conclusion: /** @type {const} */ ("cancelled"), requests };
  const data = session([done(1), cancelled], ended);
  assert.deepEqual(headlineOf(data), { key: "cancelled", values: { step: 2 } });
  const isOwn = (/** @type {SessionRequest | null} */ each) => each?.id === "r1";
  assert.equal(headlineOf(data, { isOwn }).key, "cancelled_by_you");
  const later = [request({ id: "r2", kind: "retry" }), ...requests];
  assert.equal(headlineOf(session([cancelled], { ...ended, requests: later }), { isOwn }).key, "cancelled");
});

test("each new state of a request is news", () => {
  const [none, asked, seen] = [undefined, request(), request({ state: "seen" })].map((each) =>
    session([{}], each && { requests: [each] }),
  );
  assert.ok(none && asked && seen);
  assert.deepEqual(
    [hasNewRequest(none, asked), hasNewRequest(asked, asked), hasNewRequest(asked, seen), hasNewRequest(seen, none)],
    [true, false, true, false],
  );
});

// Asking for a reader

/** A reader's requests, by a tracker of a page without a stream. */
function reader() {
  const page = new Page({ transport: "poll" });
  const onChange = mock.fn();
  const requests = new SessionRequests(onChange);
  const stopping = new AbortController();
  requests.start(page.tracker, stopping.signal);
  return { page, requests, onChange, stopping };
}

test("the right is learned once, and only if the worker takes requests", async () => {
  const { page, requests, onChange } = reader();
  requests.update(session([{}]));
  assert.equal(page.requests.length, 0);
  requests.update(session([{}], { accepts }));
  requests.update(session([{}], { accepts }));
  assert.equal(requests.isAllowed, null);
  await page.answer(status(200, { Allow: "POST" }));
  assert.equal(requests.isAllowed, true);
  requests.forgetRight();
  requests.update(session([{}], { accepts }));
  assert.deepEqual([page.requests.length, onChange.mock.callCount()], [1, 1]);
});

test("a reader without the right asks for it again when the connection is back", async () => {
  const { page, requests } = reader();
  for (const [answer, isAllowed] of /** @type {const} */ ([
    [new Error("no network"), false],
    [status(200, { Allow: "GET" }), false],
    [status(200, { Allow: "POST" }), true],
  ])) {
    requests.forgetRight();
    assert.equal(requests.isAllowed, null);
    requests.update(session([{}], { accepts }));
    await page.answer(answer);
    assert.equal(requests.isAllowed, isAllowed);
  }
});

test("a request that the data does not show yet is polled for", async () => {
  const { page, requests } = reader();
  void requests.ask("cancel");
  void requests.ask("cancel");
  assert.equal(requests.sending, "cancel");
  await page.answer(Response.json(request(), { status: 202 }));
  assert.equal(requests.sending, "cancel");
  await page.answer(ok(progress(1, { requests: [request()] })));
  assert.equal(requests.sending, null);
  assert.deepEqual(
    [requests.isOwn(request()), requests.isOwn(request({ id: "r2" })), requests.isOwn(null)],
    [true, false, false],
  );
  assert.equal(page.requests.length, 2);
});

for (const [answer, failure, isAllowed] of /** @type {[Response | Error, string | null, boolean | null][]} */ ([
  [refusal(403), "request_denied", false],
  [refusal(401), "request_denied", false],
  [refusal(422), "request_unanswered", null],
  [refusal(409), null, null],
])) {
  test(`a refusal with ${/** @type {Response} */ (answer).status} is ${failure ?? "shown by the data"}`, async () => {
    const { page, requests } = reader();
    void requests.ask("retry");
    await page.answer(answer);
    if (!failure) await page.answer(ok(progress(3)));
    assert.deepEqual([requests.sending, requests.failure, requests.isAllowed], [null, failure, isAllowed]);
  });
}

test("a failure is said until the session's status changes", async () => {
  const { page, requests } = reader();
  requests.update(session([{}]));
  void requests.ask("cancel");
  await page.answer(refusal(403));
  requests.update(session([{}, {}]));
  assert.equal(requests.failure, "request_denied");
  requests.update(session([failed], inError));
  assert.equal(requests.failure, null);
});

test("a view that has stopped is told nothing", async () => {
  const { page, requests, onChange, stopping } = reader();
  void requests.ask("cancel");
  requests.update(session([{}], { accepts }));
  const before = onChange.mock.callCount();
  stopping.abort();
  await settled();
  assert.equal(onChange.mock.callCount(), before);
  assert.equal(page.leftovers.requests, 0);
});
