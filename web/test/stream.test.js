/* How the tracker keeps its stream connected, and when it polls instead. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { FakeEventSource, jitter, livePage, notFound, ok, Page, progress, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

const heartbeat = { now: "2026-01-01T00:00:00.000000+00:00", interval_ms: 15_000 };

test("a tracker streams, and requests heartbeats as events", async () => {
  const page = await livePage({ baseUrl: "/jobs" });
  assert.equal(page.stream.url, "/jobs/api/progress/job/events?heartbeat=event");
  assert.equal(page.stream.withCredentials, false);
  assert.deepEqual(page.states, ["connecting", "live"]);
  assert.equal(page.requests.length, 0);
});

// Shows P-2.6.
test("a session id is percent-encoded", () => {
  const page = new Page();
  page.tracker.sessionId = "a?b#c%20/ü";
  void page.tracker.start();
  assert.equal(page.stream.url, "/api/progress/a%3Fb%23c%2520%2F%C3%BC/events?heartbeat=event");
});

test("each event is at once an update in the shape of a poll", async () => {
  const page = await livePage();
  page.stream.send("step", stepEvent(2), "e-2");
  assert.equal(JSON.stringify(page.updates), JSON.stringify([progress(1), progress(2)]));
});

// Shows P-8.4.
test("a snapshot replaces the data", async () => {
  const page = await livePage();
  page.stream.send("snapshot", notFound, "f-0");
  page.stream.send("snapshot", progress(0), "g-0");
  page.stream.send("step", stepEvent(1), "g-1");
  assert.deepEqual(page.updates.slice(1), [notFound, progress(0), progress(1)]);
});

test("a page may change the data that it was given", async () => {
  const page = await livePage();
  const [first] = page.updates;
  first?.steps.reverse();
  Object.assign(first?.steps[0] ?? {}, { name: "changed" });
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates[1], progress(2));
});

test("a closed stream that the browser connects again is closed again", async () => {
  const page = await livePage();
  page.tracker.stop();
  const happenings = [
    () => page.stream.open(),
    () => page.stream.interrupt(),
    () => page.stream.send("step", stepEvent(2), "e-2"),
  ];
  for (const happen of happenings) {
    page.stream.readyState = 0;
    happen();
    assert.equal(page.stream.readyState, 2);
  }
  assert.equal(page.updates.length, 1);
});

test("while the browser reconnects by itself, the stream is not replaced", async () => {
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.tracker.state, "reconnecting");
  page.stream.send("step", stepEvent(2), "e-2");
  assert.equal(page.tracker.state, "live");
  assert.equal(page.streams.length, 1);
  assert.equal(page.requests.length, 0);
});

// Shows P-8.7.
test("a closed stream is reopened, and resumes", async () => {
  jitter(0);
  const page = await livePage();
  page.stream.send("heartbeat", heartbeat);
  page.stream.send("step", stepEvent(2), "e~2");
  page.stream.refuse();
  assert.equal(page.tracker.state, "reconnecting");
  await page.clock.advance(999);
  assert.equal(page.streams.length, 1);
  await page.clock.advance(1);
  assert.equal(page.streams.length, 2);
  assert.equal(page.stream.url, "/api/progress/job/events?heartbeat=event&last_event_id=e~2");
});

test("events of a replaced stream are ignored", async () => {
  jitter(0);
  const page = await livePage();
  const old = page.stream;
  old.refuse();
  await page.clock.advance(1000);
  old.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates, [progress(1)]);
});

test("the backoff doubles from one second to thirty, with full jitter, and opening does not reset it", async () => {
  const random = jitter(0.999999);
  const page = new Page({ transport: "sse" });
  void page.tracker.start();
  const delays = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    page.stream.open();
    page.stream.refuse();
    const before_ms = page.clock.now_ms;
    const streams = page.streams.length;
    while (page.streams.length === streams) await page.clock.advance(100);
    delays.push(Math.round((page.clock.now_ms - before_ms) / 1000));
  }
  assert.deepEqual(delays, [2, 4, 8, 16, 30, 30, 30]);

  random.mock.mockImplementation(() => 0);
  page.stream.refuse();
  const streams = page.streams.length;
  await page.clock.advance(1000);
  assert.equal(page.streams.length, streams + 1, "the shortest delay is one second");
});

test("the first event resets the backoff", async () => {
  jitter(0.999999);
  const page = new Page();
  void page.tracker.start();
  for (const wait_ms of [2000, 4000, 8000]) {
    page.stream.refuse();
    await page.clock.advance(wait_ms);
  }
  page.stream.send("heartbeat", heartbeat);
  const streams = page.streams.length;
  page.stream.refuse();
  await page.clock.advance(2000);
  assert.equal(page.streams.length, streams + 1);
});

test("after three interruptions in a row, the tracker polls", async () => {
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.interrupt();
  page.stream.send("heartbeat", heartbeat);
  await page.clock.advance(1000);
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.requests.length, 0, "an event in between resets the count");
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.requests.length, 1);
});

test("after each refusal the tracker polls once to learn why, and after three in a row at intervals", async () => {
  jitter(0);
  const page = await livePage();
  for (const requests of [1, 2, 3]) {
    page.stream.refuse();
    assert.equal(page.requests.length, requests);
    await page.answer(ok(progress(1)));
    await page.clock.advance(1000);
    assert.equal(page.requests.length, requests);
  }
  assert.equal(page.tracker.state, "polling");
  await page.clock.advance(1000);
  assert.equal(page.requests.length, 4);
});

test("a stream that ends without an event is a full server's, and the tracker polls meanwhile", async () => {
  const page = await livePage();
  page.stream.send("heartbeat", { ...heartbeat, interval_ms: 1000 });
  page.stream.interrupt();
  await page.clock.advance(2000);
  page.stream.open();
  assert.equal(page.requests.length, 0);
  page.stream.interrupt();
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(2)));
  assert.equal(page.tracker.state, "polling");
  await page.clock.advance(30_000);
  assert.equal(page.streams.length, 1, "the browser reconnects when the server asked it to");
  page.stream.send("snapshot", progress(2), "e-2");
  assert.equal(page.tracker.state, "live");
});

test("if streams break and the browser reconnects within a second, the backoff applies", async () => {
  jitter(0);
  const page = await livePage();
  page.stream.interrupt();
  page.stream.send("step", stepEvent(2), "e-2");
  page.stream.interrupt();
  assert.equal(page.stream.readyState, 2);
  await page.clock.advance(999);
  assert.equal(page.streams.length, 1);
  await page.clock.advance(1);
  assert.match(page.stream.url, /last_event_id=e-2$/);
});

test("if streams end without an event within a second, the backoff applies and the tracker polls", async () => {
  jitter(0);
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(300);
  page.stream.open();
  page.stream.interrupt();
  assert.equal(page.stream.readyState, 2);
  assert.equal(page.requests.length, 1);
  await page.clock.advance(999);
  assert.equal(page.streams.length, 1);
  await page.clock.advance(1);
  assert.equal(page.streams.length, 2);
  assert.match(page.stream.url, /last_event_id=e-1$/);
});

test("a page without data polls at the first failure", () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.interrupt();
  assert.equal(page.requests.length, 1);
});

test("a stream without an event for five seconds is held back by a proxy, and the tracker polls", async () => {
  const page = new Page();
  void page.tracker.start();
  await page.clock.advance(1000);
  page.stream.open();
  await page.clock.advance(3999);
  assert.equal(page.requests.length, 0);
  await page.clock.advance(1);
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(1)));
  assert.equal(page.tracker.state, "polling");
});

test("a stream that never brought an event is replaced after fifteen seconds", async () => {
  jitter(0);
  const page = new Page();
  void page.tracker.start();
  await page.clock.advance(15_000);
  assert.equal(page.stream.readyState, 2);
  await page.clock.advance(1000);
  assert.equal(page.streams.length, 2);
});

test("while a reconnect takes longer than five seconds, the tracker polls and leaves it to the browser", async () => {
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(5000);
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(1)));
  await page.clock.advance(20_000);
  assert.equal(page.streams.length, 1);
});

test("an unreadable event restarts the stream", async () => {
  const logged = mock.method(console, "error", () => {});
  jitter(0);
  const page = await livePage();
  page.stream.send("step", "{", "e-2");
  assert.equal(page.stream.readyState, 2);
  assert.equal(logged.mock.callCount(), 1);
  await page.clock.advance(1000);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
});

test("an `end` before the session's end was seen restarts the stream with a snapshot", async () => {
  jitter(0);
  const page = await livePage();
  page.stream.send("end", { session_ids: ["job"] }, "e-1");
  assert.equal(page.stream.readyState, 2);
  await page.clock.advance(1000);
  assert.equal(page.streams.length, 2);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
});

test("an EventSource that cannot be constructed counts as a failure", async () => {
  mock.method(console, "error", () => {});
  const page = new Page({
    EventSource: class extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        throw new DOMException("blocked", "SecurityError");
      }
    },
  });
  const started = page.tracker.start();
  await page.answer(ok(progress(1)));
  await started;
  assert.equal(page.tracker.state, "polling");
});

test("a tracker that is refused permission is denied", async () => {
  for (const code of [401, 403]) {
    const page = new Page();
    const started = page.tracker.start();
    page.stream.refuse();
    await page.answer(status(code));
    await started;
    assert.equal(page.tracker.state, "denied");
    assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
    assert.deepEqual([page.updates, page.errors], [[], []]);
  }
});

for (const transport of /** @type {const} */ (["auto", "sse"])) {
  test(`a live tracker that is refused permission is denied (${transport})`, async () => {
    const page = await livePage({ transport });
    page.stream.refuse();
    await page.answer(status(401));
    assert.equal(page.tracker.state, "denied");
    assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  });
}
