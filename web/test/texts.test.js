import assert from "node:assert/strict";
import test from "node:test";

import { languageFor, partsOf, TEXTS } from "../lib/texts.js";

/** @param {string} text */
const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

test("every text exists in both languages, with the same placeholders", () => {
  assert.deepEqual(Object.keys(TEXTS.ja), Object.keys(TEXTS.en));
  for (const key of /** @type {import("../lib/texts.js").TextKey[]} */ (Object.keys(TEXTS.en))) {
    assert.deepEqual(placeholders(TEXTS.ja[key]), placeholders(TEXTS.en[key]), key);
  }
});

for (const [preferred, language] of /** @type {[string[], string][]} */ ([
  [["ja-JP", "en"], "ja"],
  [["ja"], "ja"],
  [["en-GB", "ja"], "en"],
  [["fr-FR", "ja"], "ja"],
  [["fr"], "en"],
  [[], "en"],
  [["jam"], "en"],
])) {
  test(`a browser that prefers ${preferred.join(", ") || "nothing"} gets ${language}`, () => {
    assert.equal(languageFor(preferred), language);
  });
}

test("a text is split only at its placeholders", () => {
  assert.deepEqual(partsOf("Step {step}: {name}"), ["Step ", { name: "step" }, ": ", { name: "name" }]);
  assert.deepEqual(partsOf("{ } {a b} {}"), ["{ } {a b} {}"]);
});
