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

/** Runs tracker.js as a plain script. @param {object | null} [currentScript] */
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

test("the plain script adds only three names to the page", () => {
  assert.deepEqual(load().added, ["ProgressTracker", "ProgressListTracker", "checkTimeout"]);
});

test("the script can be loaded twice", () => {
  const { page } = load();
  assert.doesNotThrow(() => vm.runInContext(source, page));
});

for (const [address, baseUrl] of /** @type {const} */ ([
  ["http://h:1/web/tracker.js", "http://h:1"],
  ["https://h/jobs/web/tracker.js?v=2", "https://h/jobs"],
  ["https://h/static/tracker.js", ""],
])) {
  test(`loaded from ${address}, the script finds the server at "${baseUrl}"`, () => {
    assert.equal(load(scriptAt(address)).page.ProgressTracker.baseUrl, baseUrl);
  });
}

test("as a module, or beside an image named currentScript, the script uses the page's origin", () => {
  for (const currentScript of [null, { src: "https://elsewhere/web/tracker.js" }]) {
    assert.equal(load(currentScript).page.ProgressTracker.baseUrl, "");
  }
});
