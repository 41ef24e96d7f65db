import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const en = new Language("en");
const ja = new Language("ja");

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
  assert.equal(en.text(en.plural("fold_done", 1), { count: 1 }), "1 step done");
  assert.equal(en.plural("jobs", 2), "jobs_other");
  assert.equal(ja.plural("jobs", 1), "jobs_other");
});

for (const [ms, english, japanese] of /** @type {[number, string, string][]} */ ([
  [-5, "0 s", "0 秒"],
  [34_999, "34 s", "34 秒"],
  [2 * MINUTE, "2 min", "2 分"],
  [2 * MINUTE + 13 * SECOND, "2 min 13 s", "2 分 13 秒"],
  [HOUR + 2 * MINUTE + 5 * SECOND, "1 h 2 min", "1 時間 2 分"],
  [HOUR + 5 * SECOND, "1 h", "1 時間"],
  [49 * HOUR + 2 * MINUTE, "2 d 1 h", "2 日 1 時間"],
])) {
  test(`a duration of ${ms} ms is ${english}`, () => {
    assert.equal(en.duration(ms), english);
    assert.equal(ja.duration(ms), japanese);
  });
}

test("what has ended is said to the tenth of a second, below a minute", () => {
  assert.deepEqual(
    [0, 59_999, MINUTE, 133_999].map((ms) => en.took(ms)),
    ["0.0 s", "59.9 s", "1 min", "2 min 13 s"],
  );
});

for (const [ms, text] of /** @type {[number, string][]} */ ([
  [4 * SECOND, "a few seconds"],
  [12 * SECOND, "about 10 s"],
  [47 * SECOND, "about 50 s"],
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
