/* The order of polls and events: neither sets the page back to a state that it has left. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { interruptThrice, jitter, ok, Page, pageWithFailedStream, progress, stepEvent, timeOfDay } from "./fakes.js";

afterEach(() => mock.restoreAll());

const heartbeat = { now: "2026-01-01T00:00:00.000000+00:00", interval_ms: 15_000 };

// Shows P-8.15.
test("a poll's answer that an event has overtaken is dropped", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", progress(0), "e-0");
  const polled = page.tracker.poll();
  page.stream.send("step", stepEvent(1), "e-1");
  page.stream.send("step", stepEvent(2), "e-2");
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  await polled;
  assert.deepEqual(
    page.updates.map((data) => data.current_step),
    [0, 1, 2, 2],
  );
});

test("a stream that is behind a poll does not set the page back", async () => {
  const page = await pageWithFailedStream();
  await page.answer(ok(progress(2)));
  page.stream.send("step", stepEvent(1), "e-2");
  page.stream.send("step", stepEvent(2), "e-3");
  page.stream.send("step", stepEvent(3), "e-4");
  assert.deepEqual(
    page.updates.map((data) => data.current_step),
    [1, 2, 3],
  );
  assert.equal(page.streams.length, 1);
});

/** @param {Page} page */
function refuseAndWait(page) {
  page.stream.refuse();
  return page.clock.advance(1000);
}

for (const [what, reconnect] of /** @type {[string, (page: Page) => any][]} */ ([
  ["the browser", (page) => page.stream.interrupt()],
  ["the tracker", refuseAndWait],
])) {
  test(`a snapshot from after a poll is shown, even if it skips the polled state (${what} reconnected)`, async () => {
    const page = await pageWithFailedStream();
    timeOfDay(page.clock);
    await page.answer(ok(progress(2)));
    await page.clock.advance(1000);
    await reconnect(page);
    page.stream.send("snapshot", progress(0), "f-0");
    assert.deepEqual(
      page.updates.map((data) => data.current_step),
      [1, 2, 0],
    );
  });
}

test("events that a proxy held back since before a poll do not set the page back", async () => {
  const page = new Page({ interval: Infinity });
  timeOfDay(page.clock);
  void page.tracker.start();
  await page.clock.advance(5000);
  await page.answer(ok(progress(2)));
  await page.clock.advance(1000);
  page.stream.send("heartbeat", heartbeat);
  page.stream.send("snapshot", progress(0), "e-0");
  for (const done of [1, 2, 3]) page.stream.send("step", stepEvent(done), `e-${done}`);
  assert.deepEqual(
    page.updates.map((data) => data.current_step),
    [2, 3],
  );
  assert.equal(page.streams.length, 1);
});

test("a session replaced after a poll is shown as soon as the stream restarts", async () => {
  const page = await pageWithFailedStream();
  timeOfDay(page.clock);
  await page.answer(ok(progress(2)));
  page.stream.send("snapshot", progress(0), "f-0");
  await page.clock.advance(6000);
  assert.equal(page.streams.length, 2);
  page.stream.send("snapshot", progress(0), "f-0");
  assert.equal(page.updates.at(-1)?.current_step, 0);
});

test("a clock that is set back does not stop the page", async () => {
  const page = await pageWithFailedStream();
  timeOfDay(page.clock);
  await page.answer(ok(progress(2)));
  await page.clock.advance(1000);
  page.clock.now_ms -= 3_600_000;
  page.stream.interrupt();
  page.stream.send("snapshot", progress(0), "f-0");
  assert.equal(page.updates.at(-1)?.current_step, 0);
});

test("a live stream that does not catch up with a poll restarts", async () => {
  const page = await pageWithFailedStream();
  await page.answer(ok(progress(2)));
  page.stream.send("heartbeat", heartbeat);
  await page.clock.advance(4999);
  assert.equal(page.streams.length, 1);
  await page.clock.advance(1001);
  assert.equal(page.streams.length, 2);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
  page.stream.send("snapshot", progress(2), "e-2");
  page.stream.send("step", stepEvent(3), "e-3");
  assert.deepEqual([...new Set(page.updates.map((data) => data.current_step))], [1, 2, 3]);
});

test("a stream that has passed a poll's state unseen restarts", async () => {
  const page = await pageWithFailedStream();
  timeOfDay(page.clock);
  await page.answer(ok(progress(2)));
  await page.clock.advance(6000);
  assert.equal(page.streams.length, 1, "a disconnected stream is not restarted");
  page.stream.send("step", stepEvent(3), "e-4");
  await page.clock.advance(6000);
  assert.equal(page.streams.length, 2);
  page.stream.send("snapshot", progress(3), "e-4");
  assert.equal(page.tracker.state, "finished");
});

test("after a poll without news, the stream continues", async () => {
  const page = await pageWithFailedStream();
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  assert.equal(page.streams.length, 1);
  assert.notEqual(page.stream.readyState, 2);
});

/**
 * A page whose first connection failed, that polled `progress(1)` meanwhile, and whose stream is back now.
 * @param {object} firstHeartbeat
 */
async function reconnectedPage(firstHeartbeat) {
  jitter(0.5);
  const page = new Page();
  timeOfDay(page.clock);
  void page.tracker.start();
  await page.clock.advance(100);
  page.stream.interrupt();
  await page.clock.advance(50);
  await page.answer(ok(progress(1), { Date: new Date(Date.now()).toUTCString() }));
  await page.clock.advance(1900);
  page.stream.open();
  page.stream.send("heartbeat", { ...heartbeat, ...firstHeartbeat });
  return page;
}

test("if the age of a stream's events is unknown, the session's end is shown by the next stream", async () => {
  const page = await reconnectedPage({});
  page.stream.send("snapshot", progress(3), "e-3");
  page.stream.send("end", { session_ids: ["job"] }, "e-3");
  assert.deepEqual([page.tracker.state, page.leftovers.streams], ["live", 0]);
  await page.clock.advance(5000);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
  page.stream.send("snapshot", progress(3), "e-3");
  assert.deepEqual([page.tracker.state, page.completions.length], ["finished", 1]);
});

test("a stream that a heartbeat shows to be on time is applied at once, even after a poll", async () => {
  const now = Date.now() + 2050;
  const page = await reconnectedPage({ now: new Date(now).toISOString() });
  page.stream.send("snapshot", progress(0), "f-0");
  page.stream.send("step", stepEvent(1, { estimated_remaining_ms: 1 }), "f-1");
  page.stream.send("step", stepEvent(2), "f-2");
  assert.deepEqual(
    page.updates.slice(-3).map((data) => data.current_step),
    [0, 1, 2],
  );
});

test("a poll answered by a process that is behind does not set a live page back", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", progress(1), "e-1");
  page.stream.send("step", stepEvent(2), "e-2");
  const polled = page.tracker.poll();
  await page.answer(ok(progress(1)));
  await polled;
  page.stream.send("step", stepEvent(3), "e-3");
  assert.deepEqual(
    page.updates.map((data) => data.current_step),
    [1, 2, 2, 3],
  );
  assert.equal(page.completions.length, 1);
});

test("while polling, a session may return to a state that the stream had before", async () => {
  const page = await pageWithFailedStream();
  page.stream.send("step", stepEvent(2), "e-2");
  await interruptThrice(page);
  await page.answer(ok(progress(1)));
  assert.equal(page.updates.at(-1)?.current_step, 1);
});

test("poll() ahead of a live stream does not let the stream set the page back", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", progress(0), "e-0");
  const polled = page.tracker.poll();
  await page.answer(ok(progress(2), { ETag: '"2"' }));
  await polled;
  page.stream.send("step", stepEvent(1), "e-1");
  page.stream.send("step", stepEvent(2), "e-2");
  page.stream.send("step", stepEvent(3), "e-3");
  assert.deepEqual(
    page.updates.map((data) => data.current_step),
    [0, 2, 3],
  );
  assert.equal(page.streams.length, 1);
});
