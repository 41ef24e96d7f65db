import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import vm from "node:vm";

const source = await readFile(new URL("../lib/tracker.js", import.meta.url), "utf8");

class HTMLScriptElement {
  src = "";
}

/** @param {string} src */
const scriptAt = (src) => Object.assign(new HTMLScriptElement(), { src });

/** Runs tracker.js as a page does that loads it plainly. @param {object | null} [currentScript] */
function load(currentScript = null) {
  const page = vm.createContext({
    EventTarget,
    AbortController,
    Event,
    HTMLScriptElement,
    document: { currentScript },
  });
  const before = Object.keys(page);
  vm.runInContext(source, page);
  return { page, added: Object.keys(page).filter((name) => !before.includes(name)) };
}

test("a plain script adds two names to the page and no other", () => {
  assert.deepEqual(load().added, ["ProgressTracker", "checkTimeout"]);
});

test("loading the script twice does no harm", () => {
  const { page } = load();
  assert.doesNotThrow(() => vm.runInContext(source, page));
});

for (const [address, baseUrl] of /** @type {const} */ ([
  ["http://h:1/web/tracker.js", "http://h:1"],
  ["https://h/jobs/web/tracker.js?v=2", "https://h/jobs"],
  ["https://h/static/tracker.js", ""],
])) {
  test(`loaded from ${address}, it looks for the server at "${baseUrl}"`, () => {
    assert.equal(load(scriptAt(address)).page.ProgressTracker.baseUrl, baseUrl);
  });
}

test("loaded as a module, or beside an image that calls itself the script, it looks at the page's own origin", () => {
  for (const currentScript of [null, { src: "https://elsewhere/web/tracker.js" }]) {
    assert.equal(load(currentScript).page.ProgressTracker.baseUrl, "");
  }
});
