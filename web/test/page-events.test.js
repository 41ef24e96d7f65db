/* A page that was left alone, when the visitor returns. */
import assert from "node:assert/strict";
import test from "node:test";

import { Browser, ok, progress, settled, status, stepEvent } from "./fakes.js";

/** A tab that is live at the first step. @param {import("../lib/wire.js").TrackerOptions} [options] */
async function liveTab(options) {
  const browser = new Browser();
  const tab = browser.tab();
  const tracked = await tab.track("job", options);
  browser.stream.send("snapshot", progress(1), "e-1");
  return { browser, tab, ...tracked };
}

/** @type {[string, (tab: import("./fakes/tab.js").Tab) => Promise<void>][]} */
const returns = [
  ["it is shown", (tab) => tab.show("visible")],
  ["the network is back", (tab) => tab.dispatch("online")],
];

for (const [what, happens] of returns) {
  test(`when ${what}, the page polls at once, and its stream connects at once`, async () => {
    const { browser, tab, steps } = await liveTab();
    browser.stream.refuse();
    browser.requests[0]?.answer(new TypeError("Failed to fetch"));
    await settled();
    assert.equal(browser.open.length, 0);
    await happens(tab);
    assert.equal(browser.open.length, 1);
    browser.requests[1]?.answer(ok(progress(2)));
    await settled();
    assert.deepEqual(steps, [1, 2]);
  });

  test(`when ${what}, a polling page polls at once, and then at its intervals`, async () => {
    const browser = new Browser();
    const tab = browser.tab();
    await tab.track("job", { transport: "poll", interval: 2000 });
    browser.requests[0]?.answer(ok(progress(1)));
    await browser.clock.advance(1000);
    await happens(tab);
    assert.equal(browser.requests.length, 2);
    browser.requests[1]?.answer(status(304));
    await browser.clock.advance(1500);
    assert.equal(browser.requests.length, 2);
    await browser.clock.advance(1000);
    assert.equal(browser.requests.length, 3);
  });
}

test("a returning visitor does not shorten Retry-After", async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.track("job", { transport: "poll" });
  browser.requests[0]?.answer(status(503, { "Retry-After": "60" }));
  await settled();
  await tab.dispatch("online");
  assert.equal(browser.requests.length, 1);
});

// Shows P-4.5.
test("Retry-After also holds for a page whose stream works, or is refused", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.dispatch("online");
  browser.requests[0]?.answer(status(429, { "Retry-After": "60" }));
  await settled();
  browser.stream.send("step", stepEvent(2), "m.2");
  assert.equal(tracker.state, "live");
  await tab.dispatch("online");
  browser.stream.refuse();
  assert.equal(browser.requests.length, 1);
  await browser.clock.advance(59_000);
  assert.equal(browser.requests.length, 1);
  await browser.clock.advance(1000);
  assert.equal(browser.requests.length, 2);
});

test("a tracker that waits for Retry-After leaves no timer when it stops", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.dispatch("online");
  browser.requests[0]?.answer(status(429, { "Retry-After": "60" }));
  await settled();
  tracker.stop();
  assert.equal(browser.clock.timers.size, 0);
});

test("if that poll fails, the page polls until the stream brings an event", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.dispatch("online");
  await browser.clock.advance(5000);
  assert.deepEqual(
    browser.requests.map(({ isOpen }) => isOpen),
    [false, true],
  );
  browser.requests[1]?.answer(ok(progress(1)));
  await settled();
  assert.equal(tracker.state, "polling");
  browser.stream.send("step", stepEvent(2), "e-2");
  assert.equal(tracker.state, "live");
});

test("a hidden page keeps its stream", async () => {
  const { browser, tab } = await liveTab();
  await tab.show("hidden");
  assert.deepEqual([browser.open.length, browser.requests.length], [1, 0]);
});

test("a page that has just loaded does not poll beside its stream", async () => {
  const { browser, tab } = await liveTab();
  await tab.dispatch("pageshow", { persisted: false });
  assert.equal(browser.requests.length, 0);
});

test("a page in the back/forward cache has no stream until it returns", async () => {
  const { browser, tab, steps } = await liveTab();
  await tab.dispatch("pagehide");
  assert.equal(browser.open.length, 0);
  await tab.track("other");
  await browser.clock.advance(1000);
  assert.equal(browser.open.length, 0);
  await tab.dispatch("pageshow", { persisted: true });
  await browser.clock.advance(500);
  browser.stream.send("step", stepEvent(2), "m.2");
  assert.deepEqual(steps, [1, 2]);
});

test("a frozen page closes its stream, and reopens it when it resumes", async () => {
  const { browser, tab } = await liveTab();
  tab.document.dispatchEvent(new Event("freeze"));
  assert.equal(browser.open.length, 0);
  tab.document.dispatchEvent(new Event("resume"));
  await browser.clock.advance(500);
  assert.equal(browser.open.length, 1);
});

test("a stopped tracker ignores the visitor's return", async () => {
  const { browser, tab, tracker } = await liveTab();
  tracker.stop();
  for (const [, happens] of returns) await happens(tab);
  await tab.dispatch("pageshow", { persisted: true });
  assert.deepEqual([browser.open.length, browser.requests.length], [0, 0]);
});

test("with transport sse, a returning visitor causes no poll", async () => {
  const { browser, tab } = await liveTab({ transport: "sse" });
  await tab.show("visible");
  assert.equal(browser.requests.length, 0);
});
