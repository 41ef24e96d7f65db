import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";
import { timeWords } from "../lib/time-words.js";
import { MINUTE, SECOND } from "./fakes/sessions.js";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** 12:03 on 28 November where the reader is. */
const NOW = new Date(2026, 10, 28, 12, 3).getTime();
const en = new Language("en");
const ja = new Language("ja");

/** @typedef {[p50_ms: number, p90_ms: number, english: string, japanese: string]} Row */

for (const [p50_ms, p90_ms, english, japanese] of /** @type {Row[]} */ ([
  [4 * MINUTE, 4 * MINUTE, "about 4 min left", "残り約 4 分"],
  [3 * MINUTE, 5 * MINUTE, "usually 3–5 min left", "通常、残り3～5 分"],
  [3.4 * MINUTE, 4.1 * MINUTE, "usually 3–5 min left", "通常、残り3～5 分"],
  [40 * SECOND, 100 * SECOND, "usually 1–2 min left", "通常、残り1～2 分"],
  [40 * SECOND, 70 * SECOND, "about 1 min left", "残り約 1 分"],
  [11 * SECOND, 14 * SECOND, "about 10 s left", "残り約 10 秒"],
  [12 * SECOND, 18 * SECOND, "usually 10–20 s left", "通常、残り10～20 秒"],
  [24 * SECOND, 28 * SECOND, "about 30 s left", "残り約 30 秒"],
  [10 * MINUTE, 12 * MINUTE, "about 12 min left", "残り約 12 分"],
  [10 * MINUTE, 12.1 * MINUTE, "usually 10–13 min left", "通常、残り10～13 分"],
  [20 * SECOND, 41 * SECOND, "usually 20–50 s left", "通常、残り20～50 秒"],
  [2 * SECOND, 41 * SECOND, "usually less than 50 s left", "通常、残り50 秒以内"],
  [0, 2 * MINUTE, "usually less than 2 min left", "通常、残り2 分以内"],
  [2.6 * MINUTE, 3 * MINUTE, "about 3 min left", "残り約 3 分"],
  [0, 9 * SECOND, "a few seconds left", "残り数秒"],
  [0, 0, "a few seconds left", "残り数秒"],
  [40 * MINUTE, 58 * MINUTE, "usually 40–58 min left", "通常、残り40～58 分"],
  [2.3 * HOUR, 2.3 * HOUR, "done about 14:20", "14:20頃に完了"],
  [50 * MINUTE, 59 * MINUTE, "done about 12:50–13:10", "12:50～13:10頃に完了"],
  [2.3 * HOUR, 3.1 * HOUR, "done about 14:20–15:10", "14:20～15:10頃に完了"],
  [15 * HOUR, 15 * HOUR, "done about Nov 29, 03:00", "11月29日 03:00頃に完了"],
  [DAY, 400 * DAY, "", ""],
])) {
  test(`from ${p50_ms} to ${p90_ms} ms are "${english}"`, () => {
    assert.equal(timeWords({ p50_ms, p90_ms }, NOW, en), english);
    assert.equal(timeWords({ p50_ms, p90_ms }, NOW, ja).replace(/(\d) ?([分秒])/g, "$1 $2"), japanese);
  });
}

test("where nothing is known there is no word", () => {
  assert.equal(timeWords(null, NOW, en), "");
  assert.equal(timeWords("longer_than_usual", NOW, en), "taking longer than usual");
  assert.equal(timeWords("longer_than_expected", NOW, ja), "予定より時間がかかっています");
});

test("a time of day stays while the time passes, and a duration never grows", () => {
  const clocks = new Set();
  const longest = { en: Infinity };
  for (let passed_ms = 0; passed_ms < HOUR; passed_ms += SECOND) {
    clocks.add(timeWords({ p50_ms: 2 * HOUR - passed_ms, p90_ms: 3 * HOUR - passed_ms }, NOW + passed_ms, en));
    const words = timeWords({ p50_ms: 0, p90_ms: 50 * MINUTE - passed_ms }, NOW + passed_ms, en);
    const minutes = Number(words.match(/(\d+) min/)?.[1] ?? 0);
    assert.ok(minutes <= longest.en, words);
    longest.en = minutes;
  }
  assert.deepEqual([...clocks], ["done about 14:00–15:10"]);
});
