import assert from "node:assert/strict";
import test from "node:test";
import { Announcer } from "../lib/announcer.js";
import { faviconOf } from "../page/favicon.js";
import { RecentSessions } from "../page/recent-sessions.js";
import { freshSessionId, sessionsIn } from "../page/session-url.js";

test("the element's module can be imported without a document", async () => {
  assert.equal(typeof (await import("../lib/element.js")).ProgressSteps, "function");
});

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

test("a new session gets a unique id", () => {
  assert.match(freshSessionId(), /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}$/);
  assert.notEqual(freshSessionId(), freshSessionId());
});

test("of several texts at once, the first and the last are announced, ten seconds apart", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const region = { textContent: /** @type {string | null} */ ("") };
  const announcer = new Announcer(region);
  for (const text of ["one", "two", "three"]) announcer.say(text);
  assert.equal(region.textContent, "one");
  t.mock.timers.tick(9999);
  assert.equal(region.textContent, "one");
  t.mock.timers.tick(1);
  assert.equal(region.textContent, "three");
  announcer.say("four");
  announcer.stop();
  t.mock.timers.tick(20_000);
  assert.equal(region.textContent, "three");
  announcer.say("five");
  assert.equal(region.textContent, "five");
});

test("a text about one job does not displace a text about another", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const region = { textContent: /** @type {string | null} */ ("") };
  const announcer = new Announcer(region);
  announcer.say("first", "a");
  for (const [text, subject] of /** @type {const} */ ([
    ["a: 1", "a"],
    ["b: 1", "b"],
    ["a: 2", "a"],
  ]))
    announcer.say(text, subject);
  t.mock.timers.tick(10_000);
  assert.equal(region.textContent, "b: 1. a: 2");
});

test("the icon fills with the job, and ends with a mark", () => {
  assert.ok(!faviconOf("not_found", 0).includes("dasharray"));
  assert.match(faviconOf("running", 50), /dasharray='37\.7 100'/);
  assert.ok(!faviconOf("running", 50).includes("path"));
  assert.match(faviconOf("completed", 100), /path/);
  assert.notEqual(faviconOf("error", 100), faviconOf("completed", 100));
  assert.ok(!/[<>#]/.test(faviconOf("error", 30)));
});

/** @param {string | null} kept */
function storage(kept) {
  return {
    getItem: () => kept,
    setItem: (/** @type {string} */ _, /** @type {string} */ value) => {
      kept = value;
    },
  };
}

test("recent sessions are listed newest first, each once, up to a limit", () => {
  const store = storage(null);
  const recent = new RecentSessions(() => store);
  for (let n = 1; n <= 9; n += 1) recent.add(`s${n}`);
  recent.add("s5");
  assert.deepEqual(recent.list(), ["s5", "s9", "s8", "s7", "s6", "s4", "s3", "s2"]);
});

test("without storage, or with invalid content, there are no recent sessions", () => {
  const denied = new RecentSessions(() => {
    throw new Error("denied");
  });
  denied.add("a");
  assert.deepEqual(denied.list(), []);
  for (const kept of ["{", '{"a": 1}', "[1, null]"]) {
    const store = storage(kept);
    assert.deepEqual(new RecentSessions(() => store).list(), []);
  }
});
