/* Heartbeats: streams without them are replaced, late ones make the tracker poll, and they show the server's clock. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { jitter, livePage, ok, Page, progress, stepEvent, timeOfDay } from "./fakes.js";

afterEach(() => mock.restoreAll());

const heartbeat = { now: "2026-01-01T00:00:00.000000+00:00", interval_ms: 15_000 };

test("after three missed heartbeats the stream is replaced", async () => {
  jitter(0);
  const page = await livePage();
  page.stream.send("heartbeat", { ...heartbeat, interval_ms: 1000 });
  await page.clock.advance(2999);
  page.stream.send("heartbeat", { ...heartbeat, interval_ms: 1000 });
  await page.clock.advance(2999);
  assert.equal(page.tracker.state, "live");
  await page.clock.advance(1);
  assert.equal(page.tracker.state, "reconnecting");
  assert.equal(page.stream.readyState, 2);
  await page.clock.advance(1000);
  assert.match(page.stream.url, /last_event_id=e-1$/);
});

/** A heartbeat that the server sent some time ago. @param {number} [age_ms] */
const beat = (age_ms = 0) => ({ now: new Date(Date.now() - age_ms).toISOString(), interval_ms: 15_000 });

/** A live page that has had one heartbeat, with a time of day that follows its clock. */
async function pageWithHeartbeat() {
  jitter(0.5);
  const page = await livePage();
  timeOfDay(page.clock);
  page.stream.send("heartbeat", beat());
  return page;
}

test("when a heartbeat is five seconds overdue, the tracker polls too", async () => {
  const page = await pageWithHeartbeat();
  await page.clock.advance(19_999);
  assert.equal(page.requests.length, 0);
  await page.clock.advance(1);
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(2)));
  assert.deepEqual([page.tracker.state, page.updates.at(-1)], ["polling", progress(2)]);
  await page.clock.advance(20_000);
  assert.equal(page.streams.length, 1, "the stream is not replaced");
});

test("late events are shown and do not end the polling; a punctual heartbeat does", async () => {
  const page = await pageWithHeartbeat();
  await page.clock.advance(22_000);
  page.stream.send("step", stepEvent(2), "e-2");
  page.stream.send("heartbeat", beat(10_000));
  assert.deepEqual([page.updates.at(-1), page.tracker.state], [progress(2), "reconnecting"]);
  await page.answer(ok(progress(2)));
  await page.clock.advance(2000);
  assert.deepEqual([page.requests.length, page.tracker.state], [2, "polling"]);
  page.stream.send("heartbeat", beat());
  assert.equal(page.tracker.state, "live");
  await page.clock.advance(15_000);
  assert.equal(page.requests.length, 2);
});

test("a first heartbeat that is late by the clock of polls does not end the polling", async () => {
  jitter(0.5);
  const page = new Page();
  timeOfDay(page.clock);
  void page.tracker.start();
  const first = beat();
  await page.clock.advance(14_000);
  await page.answer(ok(progress(1), { Date: new Date(Date.now()).toUTCString() }));
  page.stream.send("heartbeat", first);
  page.stream.send("snapshot", progress(0), "e-0");
  page.stream.send("step", stepEvent(1), "e-1");
  assert.deepEqual([page.tracker.state, page.updates], ["polling", [progress(1)]]);
  page.stream.send("heartbeat", beat());
  assert.equal(page.tracker.state, "live");
});

test("a late heartbeat shows that the stream is late", async () => {
  const page = await pageWithHeartbeat();
  await page.clock.advance(15_000);
  page.stream.send("heartbeat", beat(4000));
  assert.equal(page.tracker.state, "live");
  page.stream.send("heartbeat", beat(6000));
  assert.equal(page.requests.length, 1);
});

test("a late stream is not restarted for being behind the polls", async () => {
  const page = await pageWithHeartbeat();
  await page.clock.advance(20_000);
  await page.answer(ok(progress(2)));
  page.stream.send("heartbeat", beat(10_000));
  for (let poll = 0; poll < 4; poll += 1) {
    await page.clock.advance(2000);
    await page.answer(ok(progress(2)));
  }
  assert.deepEqual([page.streams.length, page.tracker.state], [1, "polling"]);
  page.stream.send("heartbeat", beat());
  await page.clock.advance(7000);
  assert.equal(page.streams.length, 2, "a punctual stream that is behind is restarted");
});

test("a new connection is not late because the last one was", async () => {
  const page = await pageWithHeartbeat();
  await page.clock.advance(20_000);
  page.stream.interrupt();
  page.stream.send("snapshot", progress(1), "e-1");
  assert.equal(page.tracker.state, "live");
});

test("network delay of heartbeats, or a clock that is set, causes no polls", async () => {
  const page = await pageWithHeartbeat();
  for (let minute = 0; minute < 10; minute += 1) {
    for (const age_ms of [0, 4000, 1000, 4000]) {
      await page.clock.advance(15_000 - age_ms);
      await page.clock.advance(age_ms);
      page.stream.send("heartbeat", beat(minute < 5 ? age_ms : age_ms + 3_600_000));
    }
  }
  assert.deepEqual([page.requests.length, page.streams.length], [0, 1]);
});

test("a stream that brings only one heartbeat is checked by a poll", async () => {
  const page = new Page({ interval: 2000 });
  void page.tracker.start();
  page.stream.send("heartbeat", heartbeat);
  await page.clock.advance(4999);
  assert.equal(page.requests.length, 0);
  await page.clock.advance(1);
  await page.answer(ok(progress(1)));
  assert.deepEqual(page.updates, [progress(1)]);
  page.stream.send("heartbeat", heartbeat);
  await page.clock.advance(10_000);
  assert.equal(page.requests.length, 1);
});

test("a stream that brings heartbeat after heartbeat and no data is checked by a poll", async () => {
  const page = new Page();
  void page.tracker.start();
  for (let beats = 0; beats < 3; beats += 1) {
    page.stream.send("heartbeat", { ...heartbeat, interval_ms: 2000 });
    await page.clock.advance(2000);
  }
  assert.equal(page.requests.length, 1);
});

test("now() follows the server's clock", async () => {
  const page = await livePage();
  const ahead_ms = Date.now() + 3_600_000;
  assert.ok(page.tracker.now() < ahead_ms - 1_800_000);
  page.stream.send("heartbeat", { ...heartbeat, now: new Date(ahead_ms).toISOString() });
  assert.ok(Math.abs(page.tracker.now() - ahead_ms) < 60_000);
});

test("the least delayed of several heartbeats counts, until a clock is set", async () => {
  const page = await livePage();
  const ahead_ms = 10 * 3_600_000;
  const beat = (/** @type {number} */ sample_ms) =>
    page.stream.send("heartbeat", { ...heartbeat, now: new Date(Date.now() + sample_ms).toISOString() });
  const isAhead = (/** @type {number} */ expected_ms) => {
    const off_ms = page.tracker.now() - Date.now() - expected_ms;
    assert.ok(Math.abs(off_ms) < 1000, `off by ${off_ms} ms`);
  };
  beat(ahead_ms - 4000);
  isAhead(ahead_ms - 4000);
  beat(ahead_ms);
  for (let late = 0; late < 4; late += 1) beat(ahead_ms - 4000);
  isAhead(ahead_ms);
  beat(ahead_ms - 4000);
  isAhead(ahead_ms - 4000);
  beat(0);
  isAhead(0);
});
