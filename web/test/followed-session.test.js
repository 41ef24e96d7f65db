/* What the hooks of React and Vue show of a session, and what a component asks by them. */
import assert from "node:assert/strict";
import test from "node:test";

import { FollowedSession } from "../lib/followed-session.js";
import { fetchInto } from "./fakes/fetch.js";
import { iso } from "./fakes/sessions.js";
import { ok, progress, settled, status } from "./fakes.js";

/** @typedef {import("./fakes/fetch.js").Request} Request */
/** @typedef {import("../lib/wire.js").SessionRequest} SessionRequest */

const accepts = /** @type {("cancel" | "retry")[]} */ (["cancel", "retry"]);
/** @type {SessionRequest} */
const asked = { id: "r1", kind: "cancel", step: null, state: "asked", asked_at: iso(0) };

/** A component that follows a session by polls, and the requests that wait for an answer. */
class Component {
  /** @type {Request[]} */
  requests = [];
  session = new FollowedSession("job", { transport: "poll", baseUrl: "", interval: 3_600_000 });

  /** @param {import("node:test").TestContext} t */
  constructor(t) {
    t.mock.method(globalThis, "fetch", fetchInto(this.requests));
    t.after(this.session.subscribe(() => {}));
  }

  /** Answers the request of this method and path, once it is sent. @param {string} sent @param {Response} response */
  async answer(sent, response) {
    const find = () =>
      this.requests.find(({ url, init, isOpen }) => isOpen && `${init.method ?? "GET"} ${url}` === sent);
    while (!find()) await settled();
    find()?.answer(response);
    await settled();
  }

  get canRequest() {
    return this.session.getState().canRequest;
  }
}

const POLL = "GET /api/progress/job";
const RIGHT = "HEAD /api/progress/job/requests";
const ASK = "POST /api/progress/job/requests";

/** @param {import("node:test").TestContext} t */
async function mounted(t, allow = "GET, HEAD, POST") {
  const component = new Component(t);
  await component.answer(POLL, ok(progress(1, { accepts })));
  assert.deepEqual(component.canRequest, []);
  await component.answer(RIGHT, status(200, { Allow: allow }));
  return component;
}

test("a component knows what its reader may ask for", async (t) => {
  const component = await mounted(t);
  assert.deepEqual(component.canRequest, ["cancel"]);
});

test("a reader without the right may ask for nothing", async (t) => {
  assert.deepEqual((await mounted(t, "GET, HEAD")).canRequest, []);
});

test("no right is asked for where the worker accepts nothing", async (t) => {
  const component = new Component(t);
  await component.answer(POLL, ok(progress(1)));
  assert.equal(component.requests.length, 1);
});

test("a request is shown once it was made", async (t) => {
  const component = await mounted(t);
  const { request } = component.session.getState();
  const asking = request("cancel", { reason: "wrong file" });
  await component.answer(ASK, Response.json(asked, { status: 202 }));
  await component.answer(POLL, ok(progress(1, { accepts, requests: [asked] })));
  assert.deepEqual(await asking, asked);
  const { data, canRequest } = component.session.getState();
  assert.deepEqual([data?.requests, canRequest], [[asked], []]);
  assert.equal(component.session.getState().request, request);
});

test("a request that the server denies is offered no more", async (t) => {
  const component = await mounted(t);
  const asking = component.session.request("cancel");
  const refusal = assert.rejects(asking, { name: "RequestError", status: 403 });
  await component.answer(ASK, status(403));
  await refusal;
  assert.deepEqual(component.canRequest, []);
});

test("a request that came too late shows how the session is now", async (t) => {
  const component = await mounted(t);
  const refusal = assert.rejects(component.session.request("cancel"), { name: "RequestError", status: 409 });
  await component.answer(ASK, status(409));
  await component.answer(POLL, ok(progress(3, { accepts })));
  await refusal;
  assert.deepEqual([component.session.getState().data?.status, component.canRequest], ["completed", []]);
});

test("a session that is not followed is asked for nothing", async () => {
  await assert.rejects(new FollowedSession(null).request("cancel"));
  await assert.rejects(new FollowedSession("job").request("cancel"));
});
