/* Over HTTP/1.1 the streams of all tabs together leave connections to pages and polls. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";
import { kinds } from "./fakes/live-tabs.js";
import { Browser, jitter, settled } from "./fakes.js";

/** @typedef {import("./fakes/tab.js").Tab} Tab */

afterEach(() => mock.restoreAll());

/** A tracker of a list in a tab. @param {Tab} tab @param {string} prefix */
function follow(tab, prefix) {
  /** @type {import("../lib/wire.js").ProgressListTracker} */
  const tracker = new tab.scope.ProgressListTracker({ prefix });
  tracker.start();
  return tracker;
}

/** The states of trackers once their streams have sent a list. @param {Browser} browser @param {{state: string}[]} trackers */
async function statesOf(browser, trackers) {
  await browser.clock.advance(1000);
  for (const stream of browser.open) stream.send("heartbeat", { now: new Date().toISOString(), interval_ms: 600_000 });
  await settled();
  return trackers.map(({ state }) => state);
}

for (const [name, kind] of kinds) {
  test(`${name} tabs of several lists leave connections free, and take those that others give back`, async () => {
    jitter(0);
    const browser = new Browser(kind);
    const trackers = [];
    for (const prefix of ["a", "b", "c", "d", "e"]) {
      trackers.push(follow(browser.tab(), prefix));
      await browser.clock.advance(1000);
    }
    const live = ["live", "live", "live"];
    assert.equal(browser.open.length, 3);
    assert.deepEqual((await statesOf(browser, trackers)).slice(0, 3), live);
    const polled = browser.requests.filter(({ isOpen }) => isOpen).map(({ url }) => url);
    assert.deepEqual(polled, ["/api/progress?prefix=d&limit=100", "/api/progress?prefix=e&limit=100"]);
    const { tracker } = await browser.tab().track("job");
    assert.deepEqual(await statesOf(browser, [tracker]), ["live"], "one is left to the sessions");
    trackers[0]?.stop();
    await browser.clock.advance(3000);
    assert.equal(browser.open.length, 4);
    const [one, other] = (await statesOf(browser, trackers)).slice(3);
    assert.notEqual(one, other);
    assert.ok([one, other].includes("live"));
    for (const each of [...trackers, tracker]) each.stop();
    await settled();
    const { clock, channels, locks, open } = browser;
    assert.deepEqual([clock.timers.size, channels.size, locks.length, open.length], [0, 0, 0, 0]);
  });
}

test("a page of many lists has connections left, too", async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const trackers = ["a", "b", "c", "d"].map((prefix) => follow(tab, prefix));
  await browser.clock.advance(1000);
  assert.equal(browser.open.length, 3);
  for (const tracker of trackers) tracker.stop();
});

test("HTTP/2 has no such limit", async () => {
  const browser = new Browser();
  const baseUrl = "https://progress.example";
  const loaded = [{ name: `${baseUrl}/web/tracker.js`, nextHopProtocol: "h2" }];
  const performance = { getEntriesByType: (/** @type {string} */ type) => (type === "resource" ? loaded : []) };
  const tab = browser.tab({ performance });
  for (const prefix of ["a", "b", "c", "d", "e"]) {
    new tab.scope.ProgressListTracker({ prefix, baseUrl }).start();
    new tab.scope.ProgressListTracker({ prefix, baseUrl: "https://other.example" }).start();
  }
  await browser.clock.advance(1000);
  const origins = browser.open.map(({ url }) => new URL(url).hostname);
  assert.equal(origins.filter((name) => name === "progress.example").length, 5);
  assert.equal(origins.filter((name) => name === "other.example").length, 3);
});
