/* Trackers by a link: only the paths of its session receive its cookie. */
import assert from "node:assert/strict";
import test from "node:test";
import { Browser } from "./fakes/browser.js";
import { Page } from "./fakes/page.js";
import { progress } from "./fakes.js";

const STREAM = "/api/progress/job/events?heartbeat=event";

test("each request of a tracker by a link says so", async () => {
  const page = new Page({ byLink: true, token: undefined });
  void page.tracker.start();
  assert.equal(page.stream.url, `${STREAM}&link=1`);
  const signal = new AbortController().signal;
  void page.tracker.poll();
  void page.tracker.mayRequest({ signal });
  void page.tracker.parts(2, { signal }).catch(() => {});
  void page.tracker.steps({ signal }).catch(() => {});
  void page.tracker.request("cancel", { signal }).catch(() => {});
  await page.clock.advance(0);
  const paths = page.requests.map(({ url }) => url).sort();
  const session = "/api/progress/job";
  assert.deepEqual(paths, [
    `${session}/parts?step=2&link=1`,
    `${session}/requests?link=1`,
    `${session}/requests?link=1`,
    `${session}/steps?link=1`,
    `${session}?link=1`,
  ]);
  page.tracker.stop();
});

test("the log comes by the link, too", async () => {
  const page = new Page({ byLink: true, token: undefined });
  void page.tracker.start();
  page.stream.send("snapshot", { ...progress(1), log: true }, "e-1");
  page.tracker.followLog(() => {});
  await page.clock.advance(100);
  assert.equal(page.stream.url, `${STREAM}&log=1&link=1&last_event_id=e-1`);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/progress/job/log?after=0&limit=1000&link=1"],
  );
  page.tracker.stop();
});

for (const isSecure of [true, false]) {
  test(`tabs by links of one session share its stream, ${isSecure ? "with" : "without"} locks`, async () => {
    const browser = new Browser({ isSecure });
    const first = await browser.tab().track("job", { byLink: true });
    await browser.clock.advance(500);
    const second = await browser.tab().track("job", { byLink: true });
    await browser.clock.advance(500);
    assert.equal(browser.stream.url, `${STREAM}&link=1`);
    browser.stream.send("snapshot", progress(1), "e-1");
    await browser.clock.advance(0);
    assert.deepEqual([first.steps, second.steps], [[1], [1]]);
  });
}

// Shows P-26.6.
test("tabs by links of several sessions, and by the visitor's own token, share none", async () => {
  const browser = new Browser({ isSecure: false });
  for (const [session, byLink] of [
    ["a", true],
    ["b", true],
    ["a", false],
    ["b", false],
  ]) {
    await browser.tab().track(String(session), { byLink: Boolean(byLink) });
    await browser.clock.advance(500);
  }
  const urls = browser.open.map(({ url }) => url).sort();
  assert.deepEqual(urls, [
    "/api/events?session_id=a&session_id=b&heartbeat=event",
    "/api/progress/a/events?heartbeat=event&link=1",
    "/api/progress/b/events?heartbeat=event&link=1",
  ]);
});
