import assert from "node:assert/strict";
import test, { afterEach, beforeEach, mock } from "node:test";

import { NextRunWatch } from "../lib/next-run-watch.js";
import { jitter, settled } from "./fakes.js";

const MINUTE = 60_000;
const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
const browser = new EventTarget();
/** @type {NextRunWatch[]} */
const watches = [];

beforeEach(() => {
  page.visibilityState = "visible";
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.assign(globalThis, { document: page, addEventListener: browser.addEventListener.bind(browser) });
});
afterEach(() => {
  for (const watch of watches.splice(0)) watch.stop();
  mock.timers.reset();
  mock.restoreAll();
  Reflect.deleteProperty(globalThis, "document");
  Reflect.deleteProperty(globalThis, "addEventListener");
});

/** A started watch, and how often it has looked. @param {() => Promise<void>} [look] */
function watching(look = async () => {}) {
  const looks = mock.fn(look);
  const watch = new NextRunWatch(looks);
  watches.push(watch);
  watch.start();
  return { watch, count: () => looks.mock.callCount() };
}

/** @param {number} ms */
async function pass(ms) {
  for (let second = 0; second < ms; second += 1000) {
    mock.timers.tick(1000);
    await settled();
  }
}

/** @param {"visible" | "hidden"} state */
async function show(state) {
  page.visibilityState = state;
  page.dispatchEvent(new Event("visibilitychange"));
  await settled();
}

test("it looks after two seconds, then ever more rarely, up to once in half a minute to a minute", async () => {
  jitter(0);
  const { count } = watching();
  const counts = [];
  for (const ms of [1000, 1000, 3000, 1000, 7000, 1000, 15_000, 1000, 29_000, 1000, 29_000, 1000]) {
    await pass(ms);
    counts.push(count());
  }
  assert.deepEqual(counts, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
});

test("pages that see the end together look at different times", async () => {
  jitter(0.9);
  const { count } = watching();
  await pass(3000);
  assert.equal(count(), 0);
  await pass(1000);
  assert.equal(count(), 1);
  await pass(10 * MINUTE);
  assert.ok(count() >= 10, "at least once a minute");
});

test("a hidden page does not look, and does so at once when it becomes visible", async () => {
  jitter(0);
  const { count } = watching();
  await show("hidden");
  await pass(10 * MINUTE);
  assert.equal(count(), 0);
  await show("visible");
  assert.equal(count(), 1);
  await pass(2000);
  assert.equal(count(), 2, "the pace begins anew");
});

test("a page whose session ends while it is hidden does not look until it becomes visible", async () => {
  page.visibilityState = "hidden";
  const { count } = watching();
  await pass(10 * MINUTE);
  assert.equal(count(), 0);
  await show("visible");
  assert.equal(count(), 1);
});

test("it looks at once when the network is back, and when the page is taken out of the browser's cache", async () => {
  const { count } = watching();
  browser.dispatchEvent(new Event("online"));
  await settled();
  browser.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
  await settled();
  assert.equal(count(), 1);
  browser.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await settled();
  assert.equal(count(), 2);
});

test("it does not look again before there is an answer", async () => {
  /** @type {(() => void)[]} */
  const answers = [];
  const { count } = watching(() => new Promise((resolve) => void answers.push(resolve)));
  await show("visible");
  await show("visible");
  await pass(MINUTE);
  assert.equal(count(), 1);
  answers[0]?.();
  await pass(MINUTE);
  assert.equal(count(), 2);
});

test("nothing is left after stop(), also during a look", async () => {
  const { watch, count } = watching(async () => watch.stop());
  await show("visible");
  await pass(10 * MINUTE);
  await show("visible");
  assert.equal(count(), 1);
});
