import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import vm from "node:vm";

const source = await readFile(new URL("../tracker.js", import.meta.url), "utf8");

/** Runs tracker.js as a page does that loads it from an address. @param {string} [address] */
function load(address) {
  const document = { currentScript: address === undefined ? null : { src: address } };
  const page = vm.createContext({ EventTarget, AbortController, Event, document });
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
  [undefined, ""],
])) {
  test(`loaded from ${address}, it looks for the server at "${baseUrl}"`, () => {
    assert.equal(load(address).page.ProgressTracker.baseUrl, baseUrl);
  });
}
