/* What a page that was left alone does when somebody looks at it again. */
import assert from "node:assert/strict";
import test from "node:test";

import { Browser, ok, progress, settled, status, stepEvent } from "./fakes.js";

/** A tab that is live at the first step. @param {import("./fakes.js").TrackerOptions} [options] */
async function liveTab(options) {
  const browser = new Browser();
  const tab = browser.tab();
  const tracked = await tab.track("job", options);
  browser.stream.send("snapshot", progress(1), "e-1");
  return { browser, tab, ...tracked };
}

/** @type {[string, (tab: import("./fakes.js").Tab) => Promise<void>][]} */
const returns = [
  ["it is shown", (tab) => tab.show("visible")],
  ["the network is back", (tab) => tab.happen("online")],
];

for (const [what, happens] of returns) {
  test(`when ${what} it polls at once, and its stream waits no longer`, async () => {
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

  test(`when ${what} a page that polls does so at once, and then at its intervals`, async () => {
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

test("a server that asked to be left alone is left alone", async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.track("job", { transport: "poll" });
  browser.requests[0]?.answer(status(503, { "Retry-After": "60" }));
  await settled();
  await tab.happen("online");
  assert.equal(browser.requests.length, 1);
});

test("a server that asked to be left alone is left alone also by a page whose stream works, or is refused", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.happen("online");
  browser.requests[0]?.answer(status(429, { "Retry-After": "60" }));
  await settled();
  browser.stream.send("step", stepEvent(2), "m.2");
  assert.equal(tracker.state, "live");
  await tab.happen("online");
  browser.stream.refuse();
  assert.equal(browser.requests.length, 1);
  await browser.clock.advance(59_000);
  assert.equal(browser.requests.length, 1);
  await browser.clock.advance(1000);
  assert.equal(browser.requests.length, 2);
});

test("a tracker that was asked to wait leaves no timer when it stops", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.happen("online");
  browser.requests[0]?.answer(status(429, { "Retry-After": "60" }));
  await settled();
  tracker.stop();
  assert.equal(browser.clock.timers.size, 0);
});

test("when nothing answers then, the page polls until the stream is heard again", async () => {
  const { browser, tab, tracker } = await liveTab();
  await tab.happen("online");
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

test("a page that is hidden keeps its stream", async () => {
  const { browser, tab } = await liveTab();
  await tab.show("hidden");
  assert.deepEqual([browser.open.length, browser.requests.length], [1, 0]);
});

test("a page that has just been loaded does not poll beside its stream", async () => {
  const { browser, tab } = await liveTab();
  await tab.happen("pageshow", { persisted: false });
  assert.equal(browser.requests.length, 0);
});

test("a page put away has no stream, whatever happens to it, until it comes back", async () => {
  const { browser, tab, steps } = await liveTab();
  await tab.happen("pagehide");
  assert.equal(browser.open.length, 0);
  await tab.track("other");
  await browser.clock.advance(1000);
  assert.equal(browser.open.length, 0);
  await tab.happen("pageshow", { persisted: true });
  await browser.clock.advance(500);
  browser.stream.send("step", stepEvent(2), "m.2");
  assert.deepEqual(steps, [1, 2]);
});

test("a page that the browser freezes lets go of its stream, and takes it up when it thaws", async () => {
  const { browser, tab } = await liveTab();
  tab.document.dispatchEvent(new Event("freeze"));
  assert.equal(browser.open.length, 0);
  tab.document.dispatchEvent(new Event("resume"));
  await browser.clock.advance(500);
  assert.equal(browser.open.length, 1);
});

test("a tracker that has stopped does not care any more", async () => {
  const { browser, tab, tracker } = await liveTab();
  tracker.stop();
  for (const [, happens] of returns) await happens(tab);
  await tab.happen("pageshow", { persisted: true });
  assert.deepEqual([browser.open.length, browser.requests.length], [0, 0]);
});

test("with transport sse the stream alone is checked", async () => {
  const { browser, tab } = await liveTab({ transport: "sse" });
  await tab.show("visible");
  assert.equal(browser.requests.length, 0);
});
