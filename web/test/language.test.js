import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const en = new Language("en");
const ja = new Language("ja");

/** The same languages in a browser that has no Intl.DurationFormat. @param {"en" | "ja"} tag */
function withoutDurationFormat(tag) {
  const intl = /** @type {any} */ (Intl);
  const { DurationFormat } = intl;
  intl.DurationFormat = undefined;
  try {
    return new Language(tag);
  } finally {
    if (DurationFormat) intl.DurationFormat = DurationFormat;
    else delete intl.DurationFormat;
  }
}

test("numbers are formatted for the language", () => {
  assert.equal(en.number(8000), "8,000");
  assert.equal(en.text("counted_other", { done: 1234, total: 8000 }), "1,234 of 8,000 steps done");
});

test("values stay apart from the fixed text", () => {
  assert.deepEqual(en.parts("failure", { step: 2, name: "{step} x" }), [
    "Step ",
    { value: "2" },
    ", ",
    { value: "{step} x" },
    ", failed",
  ]);
});

test("a count selects the plural form of its text", () => {
  assert.equal(en.text(en.plural("counted", 1), { done: 0, total: 1 }), "0 of 1 step done");
  assert.equal(en.plural("jobs", 2), "jobs_other");
  assert.equal(ja.plural("jobs", 1), "jobs_other");
});

test("durations are whole seconds in words, with and without Intl.DurationFormat", () => {
  for (const language of [en, withoutDurationFormat("en")]) {
    assert.equal(language.duration(0), "0 sec");
    assert.equal(language.duration(34_999), "34 sec");
    assert.equal(language.duration(2 * MINUTE), "2 min");
    assert.equal(language.duration(HOUR + 2 * MINUTE + 13 * SECOND), "1 hr, 2 min, 13 sec");
  }
  for (const language of [ja, withoutDurationFormat("ja")]) {
    assert.match(language.duration(2 * MINUTE + 13 * SECOND), /^2 ?分 ?13 ?秒$/);
  }
});

for (const [ms, text] of /** @type {[number, string][]} */ ([
  [4 * SECOND, "a few seconds"],
  [12 * SECOND, "about 10 sec"],
  [47 * SECOND, "about 50 sec"],
  [59 * SECOND, "about 1 min"],
  [100 * SECOND, "about 2 min"],
  [45 * MINUTE, "about 45 min"],
])) {
  test(`${ms} ms are ${text}`, () => assert.equal(en.roughly(ms), text));
}

test("the rounded time never grows while the time falls", () => {
  const lastOf = new Map();
  for (let ms = HOUR; ms > 0; ms -= SECOND) {
    const text = en.roughly(ms);
    assert.ok(!lastOf.has(text) || lastOf.get(text) === ms + SECOND, `${text} again at ${ms}`);
    lastOf.set(text, ms);
  }
});
