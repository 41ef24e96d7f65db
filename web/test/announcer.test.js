import assert from "node:assert/strict";
import test from "node:test";
import { Announcer } from "../lib/announcer.js";

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
