/* The tab that holds the shared stream, and how another one takes it over. */
import assert from "node:assert/strict";
import test from "node:test";
import { heartbeat, kinds, liveTabs, send, snapshot } from "./fakes/live-tabs.js";
import { Browser, progress, settled, stepEvent } from "./fakes.js";

for (const [name, kind] of kinds) {
  test(`a tab opened between a handover and the stream's first event gets the data too (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 2);
    await tabs[0]?.tab.dispatch("pagehide");
    await browser.clock.advance(500);
    const late = await browser.tab().track("job");
    assert.match(browser.stream.url, /last_event_id=e-1/);
    browser.stream.open();
    for (const steps of [[], [1]]) {
      await send(browser, "heartbeat", heartbeat());
      assert.deepEqual([late.tracker.state, late.steps], ["live", steps]);
    }
  });

  test(`a new tracker is not ended by the last holder's data of a session without trackers (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 2);
    await tabs[0]?.tab.track("retried", { stopOnError: false });
    await browser.clock.advance(500);
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", progress(1, { session_id: "retried", status: "error" }), "m.2");
    await tabs[0]?.tab.dispatch("pagehide");
    await browser.clock.advance(500);
    let errors = 0;
    const late = await tabs[1]?.tab.track("retried", { onError: () => void errors++ });
    await browser.clock.advance(100);
    assert.doesNotMatch(browser.stream.url, /last_event_id/);
    browser.stream.open();
    for (const _ of [1, 2]) await send(browser, "heartbeat", heartbeat());
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", snapshot("retried", 2), "m.9");
    assert.deepEqual([errors, late?.tracker.state, late?.steps], [0, "live", [2]]);
  });

  for (const [how, go] of /** @type {[string, (opened: any) => any][]} */ ([
    ["stops following", ({ tracker }) => tracker.stop()],
    ["is left for another page", ({ tab }) => tab.dispatch("pagehide")],
    ["is killed", ({ tab }) => tab.kill()],
  ])) {
    test(`when the tab that holds the stream ${how}, another tab resumes it (${name})`, async () => {
      const { browser, tabs } = await liveTabs(kind, 3);
      await send(browser, "step", stepEvent(2), "e-2");
      await go(tabs[0]);
      // Without locks a death goes unnoticed until the others ask.
      await browser.clock.advance(how === "is killed" && !kind.isSecure ? 10_000 : 500);
      assert.match(browser.stream.url, /last_event_id=e-2$/);
      assert.notEqual(browser.stream.tab, tabs[0]?.tab);
      await send(browser, "step", stepEvent(3), "e-3");
      for (const { steps } of tabs.slice(1)) assert.deepEqual(steps, [1, 2, 3]);
      assert.deepEqual(tabs[0]?.steps, [1, 2]);
      assert.equal(browser.requests.length, 0);
      assert.equal(browser.open.length, 0);
    });
  }

  test(`a frozen holder is replaced, and listens when it resumes (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 3);
    const [frozen] = tabs;
    frozen?.tab.freeze();
    const [old] = browser.streams;
    await browser.clock.advance(20_000);
    const [stream, ...others] = browser.open.filter((stream) => stream !== old);
    assert.equal(others.length, 0);
    stream?.send("step", stepEvent(2), "e-2");
    old?.send("snapshot", progress(0), "e-0");
    await settled();
    for (const { steps } of tabs.slice(1)) assert.deepEqual(steps, [1, 2], "its events are out of date");
    frozen?.tab.wake();
    await browser.clock.advance(500);
    assert.equal(old?.readyState, 2);
    assert.deepEqual(frozen?.steps, [1, 0, 2]);
    await send(browser, "step", stepEvent(3), "e-3");
    for (const { tracker } of tabs) assert.equal(tracker.state, "finished");
  });

  test(`a frozen holder that resumes does not set back a tab that returned meanwhile (${name})`, async () => {
    const browser = new Browser(kind);
    const tabWithRandom = (/** @type {number} */ value) =>
      browser.tab({ Math: Object.assign(Object.create(Math), { random: () => value }) });
    const [old, next] = [tabWithRandom(0.1), tabWithRandom(0.9)];
    await old.track("job");
    await browser.clock.advance(500);
    const frozen = browser.stream;
    frozen.send("snapshot", progress(0), "e-0");
    const { steps } = await next.track("job");
    await browser.clock.advance(500);
    old.freeze();
    await browser.clock.advance(20_000);
    await next.dispatch("pagehide");
    await next.dispatch("pageshow", { persisted: true });
    await browser.clock.advance(5000);
    browser.open.find((stream) => stream !== frozen)?.send("snapshot", progress(1), "f-1");
    await settled();
    old.wake();
    await browser.clock.advance(500);
    assert.deepEqual([steps, browser.stream.tab], [[0, 1], next]);
  });

  test(`a listening tab that dies is forgotten after a while (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 1);
    const other = browser.tab();
    await other.track("other");
    await browser.clock.advance(500);
    await other.kill();
    for (let beat = 0; beat < 25; beat += 1) {
      await send(browser, "heartbeat", heartbeat());
      await browser.clock.advance(10_000);
    }
    await browser.tab().track("third");
    await browser.clock.advance(500);
    assert.doesNotMatch(browser.stream.url, /other/);
    assert.equal(tabs[0]?.tracker.state, "live");
  });

  test(`a dead tab's place on the stream becomes free after a while (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 1);
    const other = browser.tab();
    for (let number = 1; number < 20; number += 1) await other.track(`s${number}`);
    await browser.clock.advance(500);
    await tabs[0]?.tab.track("late");
    await browser.clock.advance(500);
    assert.doesNotMatch(browser.stream.url, /late/);
    await other.kill();
    for (let beat = 0; beat < 25; beat += 1) {
      await send(browser, "heartbeat", heartbeat());
      await browser.clock.advance(10_000);
    }
    assert.match(browser.stream.url, /session_id=job&session_id=late&heartbeat/);
  });

  test(`a tab that listens for long is kept (${name})`, async () => {
    const { browser } = await liveTabs(kind, 1);
    await browser.tab().track("other");
    await browser.clock.advance(500);
    for (let beat = 0; beat < 250; beat += 1) {
      await send(browser, "heartbeat", heartbeat());
      await browser.clock.advance(1000);
    }
    await browser.tab().track("third");
    await browser.clock.advance(500);
    assert.match(browser.stream.url, /session_id=job&session_id=other&session_id=third/);
  });

  test(`a page that returns listens to the holder of that time (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 2);
    await tabs[0]?.tab.kill();
    await browser.clock.advance(10_000);
    await tabs[1]?.tab.dispatch("pagehide");
    await browser.tab().track("job");
    await browser.clock.advance(500);
    browser.stream.send("snapshot", progress(2), "e-2");
    const streams = browser.streams.length;
    await tabs[1]?.tab.dispatch("pageshow", { persisted: true });
    await browser.clock.advance(10_000);
    assert.equal(browser.streams.length, streams);
    assert.deepEqual(tabs[1]?.steps, [1, 2]);
  });
}

test("a holder's last event is applied even after a handover", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: true }, 2);
  browser.heldMessages = [];
  browser.stream.send("step", stepEvent(2), "e-2");
  await tabs[0]?.tab.kill();
  await browser.clock.advance(50);
  await browser.deliver();
  await browser.clock.advance(100);
  assert.match(browser.stream.url, /last_event_id=e-2$/);
  assert.deepEqual(tabs[1]?.steps, [1, 2]);
});

test("a late message of the last holder does not stop the next one from taking the stream", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: true }, 2);
  browser.heldMessages = [];
  void browser.tab().track("job");
  const requests = browser.heldMessages;
  browser.heldMessages = [];
  for (const message of requests) queueMicrotask(message);
  await settled();
  await tabs[0]?.tab.kill();
  await browser.clock.advance(50);
  await browser.deliver();
  await browser.clock.advance(500);
  assert.match(browser.stream.url, /last_event_id=e-1$/);
});

test("a page that is shown asks at once whether the holder is there", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: false }, 2);
  await tabs[0]?.tab.kill();
  await tabs[1]?.tab.show("visible");
  await browser.clock.advance(3000);
  assert.equal(browser.open.length, 1);
});

test("a tab that takes the stream over when its first five seconds end does not poll", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: true }, 1);
  const late = browser.tab();
  await late.track("job");
  await browser.clock.advance(4850);
  await tabs[0]?.tab.kill();
  await browser.clock.advance(1000);
  assert.match(browser.stream.url, /last_event_id=e-1$/);
  assert.equal(browser.requests.length, 0);
});

test("a new holder learns which sessions the other tabs follow", async () => {
  const browser = new Browser({ isSecure: false });
  const tabWithRandom = (/** @type {number} */ value) =>
    browser.tab({ Math: Object.assign(Object.create(Math), { random: () => value }) });
  const first = tabWithRandom(0.9);
  await first.track("job");
  await browser.clock.advance(500);
  await tabWithRandom(0.5).track("other");
  await first.kill();
  await tabWithRandom(0.1).track("third");
  await browser.clock.advance(500);
  assert.match(browser.stream.url, /session_id=third&session_id=other&heartbeat/);
});
