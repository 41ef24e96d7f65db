import assert from "node:assert/strict";
import test from "node:test";

import { Language } from "../lib/language.js";
import { timeWords } from "../lib/time-words.js";
import { MINUTE, SECOND } from "./fakes/sessions.js";

const HOUR = 60 * MINUTE;
/** 12:03 on 28 November where the reader is. */
const NOW = new Date(2026, 10, 28, 12, 3).getTime();
const en = new Language("en");

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
