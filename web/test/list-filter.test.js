/* Which sessions of a list are shown and in what order, and the filter in an address. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  attentionFirst,
  filterOf,
  GROUPS,
  groupOf,
  isAmong,
  labelsIn,
  matchesBesideStatus,
  NO_FILTER,
  searchOf,
} from "../lib/list-filter.js";
import { listed } from "./fakes/listed.js";

const session = listed(1, { title: "Nightly Import", labels: { team: "web", url: "a:b" }, status: "error" });

for (const [filter, isShown] of /** @type {[Partial<typeof NO_FILTER>, boolean][]} */ ([
  [{}, true],
  [{ prefix: "s" }, true],
  [{ prefix: "S" }, false],
  [{ labels: { team: "web", url: "a:b" } }, true],
  [{ labels: { team: "web", other: "x" } }, false],
  [{ labels: { toString: "x" } }, false],
  [{ text: "import" }, true],
  [{ text: "TEAM:WEB" }, true],
  [{ text: "s1" }, true],
  [{ text: "import", prefix: "t" }, false],
])) {
  test(`${JSON.stringify(filter)} ${isShown ? "shows" : "hides"} it`, () => {
    assert.equal(matchesBesideStatus(session, { ...NO_FILTER, ...filter }), isShown);
  });
}

test("any of several statuses is enough, and none excludes none", () => {
  const stalled = listed(2, { liveness: { state: "stalled", since: listed(2).created_at } });
  const names = /** @type {(keyof typeof GROUPS)[]} */ (Object.keys(GROUPS));
  const groups = [session, { ...session, conclusion: /** @type {const} */ ("cancelled") }, stalled, listed(3)].map(
    (each) => names.filter((name) => isAmong(each, GROUPS[name])).join(),
  );
  assert.deepEqual(groups, [
    "list_attention,list_all,list_failed",
    "list_all,list_cancelled",
    "list_attention,list_all,list_running",
    "list_all,list_running",
  ]);
  assert.ok(isAmong(session, ["pending", "error"]));
});

test("what needs attention comes first, and each part keeps its order", () => {
  const lost = listed(3, { status: "error", conclusion: "lost" });
  const sessions = [listed(0), session, listed(2, { status: "error", conclusion: "cancelled" }), lost, listed(4)];
  assert.deepEqual(
    attentionFirst(sessions).map(({ session_id }) => session_id),
    ["s1", "s3", "s0", "s2", "s4"],
  );
});

test("an address keeps a filter", () => {
  const filter = {
    prefix: "a b/",
    labels: { team: "x:y&z", ü: "" },
    statuses: /** @type {const} */ (["stalled", "failed"]),
    text: "50 %",
  };
  assert.deepEqual(filterOf(searchOf(filter)), filter);
  assert.equal(searchOf(NO_FILTER), "");
  assert.deepEqual(filterOf(""), NO_FILTER);
  assert.equal(groupOf(filterOf("?status=lost&status=failed&status=stalled").statuses), "list_attention");
  assert.equal(groupOf(filterOf("?status=error").statuses), undefined);
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
