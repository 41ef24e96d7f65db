import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { adoptStyles } from "../lib/style-sheet.js";

class FakeSheet {
  text = "";

  /** @param {string} text */
  replaceSync(text) {
    this.text = text;
  }
}

/** @param {object | null} [defaultView] */
const makeDocument = (defaultView = { CSSStyleSheet: FakeSheet }) => ({ defaultView });

/** @param {object} ownerDocument @param {FakeSheet[]} [adoptedStyleSheets] */
function adopted(ownerDocument, adoptedStyleSheets = []) {
  adoptStyles(/** @type {any} */ ({ ownerDocument, adoptedStyleSheets }));
  return adoptedStyleSheets;
}

test("the module has the text of the style sheet", async () => {
  const css = await readFile(new URL("../lib/progress.css", import.meta.url), "utf8");
  assert.deepEqual(
    adopted(makeDocument()).map(({ text }) => text),
    [css],
  );
});

test("the elements of a document share a sheet, and those of another one do not", () => {
  const document = makeDocument();
  const [first] = adopted(document);
  assert.equal(adopted(document)[0], first);
  assert.notEqual(adopted(makeDocument())[0], first);
});

test("a root adopts the sheet once, before the sheets of its page", () => {
  const own = new FakeSheet();
  const document = makeDocument();
  const sheets = adopted(document, [own]);
  assert.equal(adopted(document, sheets).length, 2);
  assert.equal(sheets[1], own);
});

test("a document without a window has no styles", () => {
  assert.deepEqual(adopted(makeDocument(null)), []);
});
