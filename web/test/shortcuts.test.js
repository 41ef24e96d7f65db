import assert from "node:assert/strict";
import test from "node:test";

import { Shortcuts } from "../page/shortcuts.js";

const denied = () => {
  throw new DOMException("denied");
};

/** @param {Map<string, string>} kept */
const storageOf = (kept) => () => ({
  getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
  setItem: (/** @type {string} */ key, /** @type {string} */ value) => void kept.set(key, value),
  removeItem: (/** @type {string} */ key) => void kept.delete(key),
});

/** @param {string} key @param {object} [more] */
function event(key, more = {}) {
  const none = {
    repeat: false,
    ctrlKey: false,
    altKey: false,
    metaKey: false,
    isComposing: false,
    defaultPrevented: false,
  };
  return { key, ...none, preventDefault() {}, composedPath: () => [], ...more };
}

/** @param {import("../page/shortcuts.js").GetStorage} storage */
function counting(storage) {
  /** @type {string[]} */
  const runs = [];
  const shortcuts = new Shortcuts([{ key: "j", text: "keys_next", run: () => void runs.push("j") }], storage);
  return { shortcuts, count: () => runs.length };
}

test("a key runs its function, and no other does", () => {
  const { shortcuts, count } = counting(storageOf(new Map()));
  for (const key of ["j", "J", "x", "j"]) shortcuts.press(event(key));
  assert.equal(count(), 2);
});

test("a key that is held runs its function again only where that repeats", () => {
  /** @type {string[]} */
  const runs = [];
  const shortcuts = new Shortcuts(
    [
      { key: "j", text: "keys_next", run: () => void runs.push("j"), repeats: true },
      { key: "l", text: "keys_log", run: () => void runs.push("l") },
    ],
    storageOf(new Map()),
  );
  for (const key of ["j", "l"]) for (const repeat of [false, true]) shortcuts.press(event(key, { repeat }));
  assert.deepEqual(runs, ["j", "j", "l"]);
});

for (const more of [
  { ctrlKey: true },
  { altKey: true },
  { metaKey: true },
  { isComposing: true },
  { defaultPrevented: true },
]) {
  test(`a key does nothing with ${Object.keys(more)}`, () => {
    const { shortcuts, count } = counting(storageOf(new Map()));
    shortcuts.press(event("j", more));
    assert.equal(count(), 0);
  });
}

for (const [name, element, expected] of /** @type {[string, object, number][]} */ ([
  ["in a field", { closest: () => ({}) }, 0],
  ["in a text that can be edited", { isContentEditable: true, closest: () => null }, 0],
  ["elsewhere", { closest: () => null }, 1],
])) {
  test(`a key pressed ${name} runs its function ${expected} times`, () => {
    const { shortcuts, count } = counting(storageOf(new Map()));
    shortcuts.press(event("j", { composedPath: () => [element] }));
    assert.equal(count(), expected);
  });
}

test("keys that are off do nothing, also at the next visit", () => {
  const kept = new Map();
  const first = counting(storageOf(kept));
  first.shortcuts.isOn = false;
  const next = counting(storageOf(kept));
  for (const { shortcuts, count } of [first, next]) {
    shortcuts.press(event("j"));
    assert.equal(count(), 0);
    assert.equal(shortcuts.isOn, false);
  }
  next.shortcuts.isOn = true;
  assert.equal(counting(storageOf(kept)).shortcuts.isOn, true);
});

test("without storage the keys are on, and can be turned off", () => {
  const { shortcuts, count } = counting(denied);
  shortcuts.press(event("j"));
  shortcuts.isOn = false;
  shortcuts.press(event("j"));
  assert.equal(count(), 1);
});
