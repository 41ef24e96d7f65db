/* Tabs of a browser that share a stream, with Web Locks and without. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { heartbeat, kinds, liveTabs, send, snapshot, step } from "./fakes/live-tabs.js";
import { Browser, interruptThrice, ok, progress, settled, status, stepEvent, timeOfDay } from "./fakes.js";

afterEach(() => mock.restoreAll());

for (const [name, kind] of kinds) {
  test(`seven tabs share one stream, and none polls (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 7);
    assert.equal(browser.streams.length, 1);
    assert.equal(browser.stream.url, "/api/progress/job/events?heartbeat=event");
    await send(browser, "step", stepEvent(2), "e-2");
    for (const { steps, states } of tabs)
      assert.deepEqual(
        [steps, states],
        [
          [1, 2],
          ["connecting", "live"],
        ],
      );
    assert.equal(browser.requests.length, 0);
  });

  test(`tabs opened at the same time agree on one stream (${name})`, async () => {
    const browser = new Browser(kind);
    const tabs = await Promise.all([1, 2, 3].map(() => browser.tab().track("job")));
    await browser.clock.advance(1000);
    await send(browser, "snapshot", progress(1), "e-1");
    for (const { steps } of tabs) assert.deepEqual(steps, [1]);
  });

  test(`a session that another tab follows joins the stream (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 1);
    const other = await browser.tab().track("other");
    await browser.clock.advance(500);
    const sessions = "session_id=job&session_id=other";
    assert.equal(browser.stream.url, `/api/events?${sessions}&heartbeat=event`);
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", snapshot("other", 0), "m.2");
    await send(browser, "step", step("other", 1), "m.3");
    assert.deepEqual([tabs[0]?.steps, other.steps], [[1], [0, 1]]);
  });

  test(`a tab opened while the stream reconnects gets the data by the second heartbeat (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    browser.stream.interrupt();
    const late = await browser.tab().track("job");
    await browser.clock.advance(2000);
    browser.stream.open();
    for (const steps of [[], [1]]) {
      await send(browser, "heartbeat", heartbeat());
      assert.deepEqual([late.tracker.state, late.steps, browser.requests.length], ["live", steps, 0]);
    }
  });

  test(`a tracker restarted after an error is not ended by that error (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    const tab = browser.tab();
    let errors = 0;
    const retried = await tab.track("retried", { onError: () => void errors++ });
    await tab.track("job");
    await browser.clock.advance(500);
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", progress(1, { session_id: "retried", status: "error" }), "m.2");
    assert.deepEqual([errors, retried.tracker.state], [1, "finished"]);
    await browser.tab().track("other");
    await browser.clock.advance(500);
    assert.doesNotMatch(browser.stream.url, /session_id=retried/);
    void retried.tracker.start();
    await browser.clock.advance(500);
    await send(browser, "snapshot", snapshot("retried", 2), "m.4");
    assert.deepEqual([errors, retried.tracker.state, retried.tracker.data?.current_step], [1, "live", 2]);
  });

  test(`a tab that returns does not end a new tracker by its old data (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    const tab = browser.tab();
    await tab.track("job");
    await tab.track("retried", { stopOnError: false });
    await browser.clock.advance(500);
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", progress(1, { session_id: "retried", status: "error" }), "m.2");
    await tab.dispatch("pagehide");
    await browser.clock.advance(1000);
    await send(browser, "snapshot", snapshot("retried", 2), "m.3");
    let errors = 0;
    tab.window.addEventListener("pageshow", () => void tab.track("retried", { onError: () => void errors++ }));
    await tab.dispatch("pageshow", { persisted: true });
    await browser.clock.advance(0);
    assert.equal(errors, 0);
  });

  test(`when the stream fails, every tab polls (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 3);
    await interruptThrice(browser);
    await settled();
    assert.equal(browser.requests.length, 3);
    for (const request of browser.requests) request.answer(ok(progress(2)));
    await settled();
    await send(browser, "step", stepEvent(2), "e-2");
    await send(browser, "step", stepEvent(3), "e-3");
    for (const { steps, states } of tabs) {
      assert.deepEqual(
        [steps, states],
        [
          [1, 2, 3],
          ["connecting", "live", "reconnecting", "polling", "live", "finished"],
        ],
      );
    }
  });

  test(`a late stream is late for all tabs, and punctual again for all (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 3);
    timeOfDay(browser.clock);
    await send(browser, "heartbeat", heartbeat());
    const late = heartbeat();
    await browser.clock.advance(10_000);
    await send(browser, "heartbeat", late);
    assert.equal(browser.requests.length, 3);
    for (const request of browser.requests) request.answer(ok(progress(2)));
    await settled();
    await send(browser, "step", stepEvent(2), "e-2");
    for (const { tracker } of tabs) assert.equal(tracker.state, "polling");
    await send(browser, "heartbeat", heartbeat());
    for (const { tracker, steps } of tabs) assert.deepEqual([tracker.state, steps], ["live", [1, 2]]);
  });

  test(`an older snapshot than the polls sets no tab back, a newer one is shown (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 3);
    timeOfDay(browser.clock);
    await interruptThrice(browser);
    await browser.clock.advance(1000);
    for (const request of browser.requests) request.answer(ok(progress(2)));
    await settled();
    await send(browser, "snapshot", progress(0), "f-0");
    for (const { steps } of tabs) assert.deepEqual(steps, [1, 2]);
    await browser.clock.advance(1000);
    browser.stream.interrupt();
    await send(browser, "snapshot", progress(0), "f-0");
    for (const { steps } of tabs) assert.deepEqual(steps, [1, 2, 0]);
  });

  test(`a tab opened while the stream fails polls (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    browser.stream.interrupt();
    await browser.clock.advance(6000);
    const { tracker } = await browser.tab().track("job");
    await browser.clock.advance(5000);
    for (const request of browser.requests) request.answer(ok(progress(1)));
    await settled();
    assert.equal(tracker.state, "polling");
  });

  test(`a new tab knows the server's clock (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    const now = new Date(Date.now() + 3_600_000).toISOString();
    await send(browser, "heartbeat", { now, interval_ms: 15_000 });
    const { tracker } = await browser.tab().track("job");
    assert.ok(tracker.now() > Date.now() + 3_000_000);
  });

  test(`a page that is online again asks the other tabs once for all its trackers (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    const tab = browser.tab();
    for (const id of ["job", "a", "b", "c", "d"]) await tab.track(id);
    await browser.clock.advance(500);
    const sent = mock.method(browser, "send");
    await tab.dispatch("online");
    assert.ok(sent.mock.callCount() <= 3, `${sent.mock.callCount()} messages`);
    assert.equal(browser.requests.length, 5);
  });

  test(`nothing is left when all trackers have stopped (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 3);
    for (const { tracker } of tabs) tracker.stop();
    await settled();
    const { clock, channels, locks, open } = browser;
    assert.deepEqual([clock.timers.size, channels.size, locks.length, open.length], [0, 0, 0, 0]);
  });

  test(`a page from the back/forward cache resumes (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 1);
    const [page] = tabs;
    await page?.tab.dispatch("pagehide");
    assert.deepEqual([browser.open.length, browser.channels.size, browser.locks.length], [0, 0, 0]);
    await page?.tab.dispatch("pageshow", { persisted: true });
    await browser.clock.advance(500);
    assert.match(browser.stream.url, /last_event_id=e-1$/);
    assert.equal(browser.requests.length, 1, "it polls at once");
    await send(browser, "step", stepEvent(2), "e-2");
    assert.deepEqual(page?.steps, [1, 2]);
  });
}

test("tabs work without locks where locks are forbidden", async () => {
  const browser = new Browser();
  const locks = { request: () => Promise.reject(new DOMException("not here", "SecurityError")) };
  const tabs = await Promise.all([1, 2].map(() => browser.tab({ navigator: { locks } }).track("job")));
  await browser.clock.advance(1000);
  await send(browser, "snapshot", progress(1), "e-1");
  for (const { steps } of tabs) assert.deepEqual(steps, [1]);
});

test("tabs without BroadcastChannel poll, since six streams would leave no connection to the seventh", async () => {
  const browser = new Browser();
  const { tracker } = await browser.tab({ BroadcastChannel: undefined }).track("job");
  browser.requests[0]?.answer(ok(progress(1)));
  await settled();
  assert.deepEqual([tracker.state, browser.open.length], ["polling", 0]);
});

test("a tracker with an injected EventSource does not share it with other tabs", async () => {
  const { browser } = await liveTabs({ isSecure: true }, 1);
  const tab = browser.tab();
  await tab.track("job", { EventSource: class extends tab.scope.EventSource {} });
  assert.equal(browser.open.length, 2);
});

test("pages that write a server's URL differently share one stream", async () => {
  const browser = new Browser();
  const top = browser.tab({ location: { href: "https://h/list.html" } });
  const inFolder = browser.tab({ location: { href: "https://h/a/page.html" } });
  await top.track("a", { baseUrl: "jobs" });
  await top.track("b", { baseUrl: "/jobs/" });
  await inFolder.track("c", { baseUrl: "https://h/jobs" });
  await inFolder.track("d", { baseUrl: "../jobs" });
  await browser.clock.advance(500);
  const sessions = new URL(browser.stream.url).searchParams.getAll("session_id");
  assert.deepEqual(
    [browser.stream.url.split("?")[0], sessions.sort()],
    ["https://h/jobs/api/events", ["a", "b", "c", "d"]],
  );
});

test("a page at the root of its origin may omit the base URL", async () => {
  const browser = new Browser();
  const tab = browser.tab({ location: { href: "https://h/a/page.html" } });
  await tab.track("a");
  await tab.track("b", { baseUrl: "https://h/" });
  assert.match(browser.stream.url, /^https:\/\/h\/api\//);
});

test("a rejected session with transport sse leaves the stream to other tabs", async () => {
  const browser = new Browser();
  const { tracker } = await browser.tab().track("job");
  await browser.clock.advance(500);
  browser.stream.send("snapshot", snapshot("job", 1), "e-1");
  const refused = await browser.tab().track("x/y", { transport: "sse" });
  await browser.clock.advance(500);
  for (let second = 0; second < 60; second += 1) {
    for (const stream of browser.open) {
      if (stream.url.includes("x%2Fy")) stream.refuse();
      else stream.send("heartbeat", heartbeat());
    }
    for (const { url, isOpen, answer } of browser.requests) {
      if (isOpen) answer(url.includes("x%2Fy") ? status(422) : ok(snapshot("job", 1)));
    }
    await browser.clock.advance(1000);
  }
  assert.deepEqual([tracker.state, refused.tracker.state], ["live", "reconnecting"]);
});

test("a listening tab keeps no data of sessions that other tabs have left", async () => {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  const browser = new Browser();
  const holder = browser.tab();
  await holder.track("long");
  await browser.clock.advance(500);
  browser.stream.send("snapshot", snapshot("long", 1), "m.0");
  await browser.tab().track("long");
  await browser.clock.advance(500);
  const bytes = [];
  for (let number = 0; number <= 300; number += 1) {
    const { tracker } = await holder.track(`s${number}`);
    await browser.clock.advance(60);
    const data = snapshot(`s${number}`, 1);
    const [first] = data.steps;
    if (first) first.name = `${number}`.repeat(20_000);
    browser.stream.send("snapshot", data, `m.${number}`);
    await settled();
    tracker.stop();
    browser.streams = browser.open;
    browser.requests.length = 0;
    if (number % 100 > 0) continue;
    await browser.clock.advance(100);
    collect();
    bytes.push(process.memoryUsage().heapUsed);
  }
  const [, begun = 0, , ended = 0] = bytes;
  assert.ok(ended - begun < 3_000_000, `${bytes}`);
});
