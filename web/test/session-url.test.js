import assert from "node:assert/strict";
import test from "node:test";
import { freshSessionId, isCompactIn, sessionsIn } from "../page/session-url.js";

for (const [pathname, search, base, ids] of /** @type {[string, string, string, string[]][]} */ ([
  ["/", "", "http://h/", []],
  ["/s/a%20b", "", "http://h/", ["a b"]],
  ["/s/100% sure", "", "http://h/", ["100% sure"]],
  ["/s/%E5%8E%9F", "?session_id=x", "http://h/", ["原"]],
  ["/jobs/s/a", "", "http://h/jobs/", ["a"]],
  ["/", "?session_id=a&session_id=b&session_id=a&session_id=", "http://h/", ["a", "b"]],
])) {
  test(`${pathname}${search} shows ${ids.join(", ") || "no session"}`, () => {
    assert.deepEqual(sessionsIn({ pathname, search }, base), ids);
  });
}

test("a page of one session is compact where its address asks for it", () => {
  assert.ok(isCompactIn({ search: "?compact" }));
  assert.ok(!isCompactIn({ search: "?session_id=compact" }));
});

test("a new session gets a unique id", () => {
  assert.match(freshSessionId(), /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}$/);
  assert.notEqual(freshSessionId(), freshSessionId());
});
