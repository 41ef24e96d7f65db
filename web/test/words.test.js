/* The words of the page are those of the terminal: both suites read tests/corpus/words.json. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { hasPercentage } from "../lib/bar-percentage.js";
import { failuresOf } from "../lib/failures.js";
import { countedOf, elapsedOf, headlineOf, retryOf } from "../lib/headline.js";
import { Language } from "../lib/language.js";
import { lifeSignOf, signSentence } from "../lib/life-signs.js";
import { lookOf, percentageAt, statusesOf, timeText } from "../lib/list-entry.js";
import { partsText } from "../lib/parts.js";
import { requestSentence } from "../lib/requests.js";
import { knowing, movedOn, nextState } from "../lib/session-state.js";
import { attemptText, countOf, limitText, spentText, stateText } from "../lib/step-words.js";
import { timeLeft } from "../lib/time-left.js";
import { timeWords } from "../lib/time-words.js";
import { learnedFrom } from "../lib/usual-times.js";

/** @typedef {import("../lib/headline.js").Sentence} Sentence */
/** @typedef {import("../lib/session-state.js").SessionState} SessionState */
/** @typedef {import("../lib/wire.js").Step} Step */
/** @typedef {import("../lib/usual-times.js").Learned} Learned */

const VECTORS = JSON.parse(readFileSync(new URL("../../tests/corpus/words.json", import.meta.url), "utf8"));

process.env.TZ = "UTC"; // Where the reader is.
const LANGUAGES = [new Language("en"), new Language("ja")];

/** The state of the page after each of a vector's states. @param {any} vector @returns {SessionState} */
function seen({ states, learned = [] }) {
  /** @type {SessionState | null} */
  let state = null;
  for (const { at, session } of states) {
    const now_ms = Date.parse(at);
    state = knowing(nextState(state, session, now_ms), { learned: learnedFrom(learned) }, now_ms);
  }
  return /** @type {SessionState} */ (/** @type {unknown} */ (state));
}

/** All that is said of it, without what is empty. @param {SessionState} state @param {number} now_ms @param {Language} language */
function shown(state, now_ms, language) {
  const { data, isDeleted } = state;
  const text = (/** @type {Sentence | null} */ sentence) =>
    sentence ? language.text(sentence.key, sentence.values) : "";
  const sign = lifeSignOf(state, now_ms);
  const words = {
    headline: text(headlineOf(data, { isDeleted, now_ms })),
    absence: data.status === "not_found" && !isDeleted ? language.text("is_id_right") : "",
    elapsed: text(elapsedOf(data, now_ms)),
    done: countedOf(data).map(text).join(" · "),
    time_left: timeWords(timeLeft(state, now_ms), now_ms, language),
    note: text(sign ? signSentence(sign, data, now_ms, language) : retryOf(state)),
    request: text(requestSentence(data)),
    failures: failuresOf(data).map((failure) => [text(failure), failure.error].filter(Boolean).join(": ")),
    steps: data.steps.map((step) => stepWords(step, state.known.learned, now_ms, language)),
  };
  return Object.fromEntries(Object.entries(words).filter(([, said]) => said.length));
}

/** @param {Step} step @param {Learned} learned @param {number} now_ms @param {Language} language */
function stepWords(step, learned, now_ms, language) {
  const [count, parts] = [countOf(step), step.status === "pending" ? undefined : step.parts];
  const said = [
    stateText(step, language),
    spentText(step, now_ms, language),
    attemptText(step, language),
    limitText(step, learned, now_ms, language),
    count ? language.counted(count) : "",
    parts ? partsText(parts, step.status === "running", language) : "",
  ];
  return language.joined(said.filter(Boolean));
}

for (const vector of VECTORS) {
  const now_ms = Date.parse(vector.now);
  if ("entry" in vector) {
    test(`a list says: ${vector.name}`, () => {
      assert.equal(percentageAt(vector.entry, now_ms), vector.percentage);
      assert.deepEqual(statusesOf(vector.entry).sort(), vector.lists.sort());
      for (const language of LANGUAGES) {
        const state = language.text(`list_${lookOf(vector.entry)}`).toLowerCase();
        assert.deepEqual({ state, time: timeText(vector.entry, now_ms, language) }, vector[language.tag]);
      }
    });
    continue;
  }
  test(`a page says: ${vector.name}`, () => {
    const state = movedOn(seen(vector), now_ms);
    assert.equal(hasPercentage(state.data) ? state.percentage : null, vector.percentage);
    for (const language of LANGUAGES) assert.deepEqual(shown(state, now_ms, language), vector[language.tag]);
  });
}
