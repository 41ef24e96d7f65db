/* What the hooks of React and Vue show of a list of sessions. */
import assert from "node:assert/strict";
import test from "node:test";

import { FollowedList } from "../lib/followed-list.js";
import { fetchInto } from "./fakes/fetch.js";
import { listed } from "./fakes/listed.js";
import { settled } from "./fakes.js";

/** @typedef {import("./fakes/fetch.js").Request} Request */

/** A component's list, which is polled. @param {import("node:test").TestContext} t */
function component(t) {
  /** @type {Request[]} */
  const requests = [];
  t.mock.method(globalThis, "fetch", fetchInto(requests));
  const options = /** @type {const} */ ({ transport: "poll", baseUrl: "", interval: 3_600_000 });
  const list = new FollowedList({ ...options, prefix: "a", labels: { team: "x" }, status: "error" });
  /** @param {number[]} ages @param {string | null} [next] */
  const answer = async (ages, next = null) => {
    requests.at(-1)?.answer(Response.json({ sessions: ages.map((age) => listed(age)), next }));
    await settled();
  };
  return { requests, list, answer };
}

test("a component is shown the list of its filter, and each state of it is another object", async (t) => {
  const { requests, list, answer } = component(t);
  const before = list.getState();
  assert.deepEqual([before.data, before.state], [null, "connecting"]);
  assert.equal(requests.length, 0, "a server that renders a page follows nothing");
  let changes = 0;
  const stop = list.subscribe(() => {
    changes += 1;
  });
  assert.equal(requests[0]?.url, "/api/progress?prefix=a&label=team%3Ax&status=error&limit=100");
  await answer([1, 2]);
  const { data, state } = list.getState();
  assert.deepEqual(
    [data?.sessions.map(({ session_id }) => session_id), data?.more, state],
    [["s1", "s2"], false, "polling"],
  );
  assert.notEqual(list.getState(), before);
  assert.equal(changes, 3, "connecting, the list, polling");
  stop();
  await settled();
  assert.equal(changes, 3, "a component that has gone is told nothing");
});

test("a component gets more sessions, also after it was mounted anew", async (t) => {
  const { requests, list, answer } = component(t);
  const stop = list.subscribe(() => {});
  await answer([1], "next");
  list.getState().showMore();
  await settled();
  assert.match(requests.at(-1)?.url ?? "", /limit=1000$/);
  stop();
  const again = list.subscribe(() => {});
  assert.match(requests.at(-1)?.url ?? "", /limit=1000$/);
  await answer([1, 2]);
  assert.equal(list.getState().data?.sessions.length, 2);
  again();
});
