/* Which sessions of a list are shown, and the filter in an address. */
import assert from "node:assert/strict";
import test from "node:test";
import { countsOf, filterOf, labelsIn, matches, NO_FILTER, searchOf } from "../lib/list-filter.js";
import { listed } from "./fakes/listed.js";

const session = listed(1, { title: "Nightly Import", labels: { team: "web", url: "a:b" }, status: "error" });

for (const [filter, isShown] of /** @type {[Partial<typeof NO_FILTER>, boolean][]} */ ([
  [{}, true],
  [{ prefix: "s" }, true],
  [{ prefix: "S" }, false],
  [{ labels: { team: "web", url: "a:b" } }, true],
  [{ labels: { team: "web", other: "x" } }, false],
  [{ labels: { toString: "x" } }, false],
  [{ status: "error" }, true],
  [{ status: "running" }, false],
  [{ text: "import" }, true],
  [{ text: "TEAM:WEB" }, true],
  [{ text: "s1" }, true],
  [{ text: "import", status: "running" }, false],
])) {
  test(`${JSON.stringify(filter)} ${isShown ? "shows" : "hides"} it`, () => {
    assert.equal(matches(session, { ...NO_FILTER, ...filter }), isShown);
  });
}

test("an address keeps a filter", () => {
  const filter = {
    prefix: "a b/",
    labels: { team: "x:y&z", ü: "" },
    status: /** @type {const} */ ("error"),
    text: "50 %",
  };
  assert.deepEqual(filterOf(searchOf(filter)), filter);
  assert.equal(searchOf(NO_FILTER), "");
  assert.deepEqual(filterOf(""), NO_FILTER);
});

test("what makes no sense in an address is left out", () => {
  assert.deepEqual(filterOf("?status=not_found&label=team&label=:x&other=1"), NO_FILTER);
});

test("a label has its key before the first colon", () => {
  assert.deepEqual(labelsIn(["team:web", "url:http://h", "empty:", "", "key"]), {
    team: "web",
    url: "http://h",
    empty: "",
  });
});

test("sessions are counted by their states, whichever is chosen", () => {
  const sessions = [session, listed(2), listed(3, { status: "completed" }), { ...listed(4), session_id: "other" }];
  assert.deepEqual(countsOf(sessions, { ...NO_FILTER, prefix: "s", status: "error" }), {
    all: 3,
    running: 1,
    pending: 0,
    error: 1,
    completed: 1,
  });
});
