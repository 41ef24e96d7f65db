/* How the tracker keeps its stream, and when it gives up on it. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import {
  FakeEventSource,
  jitter,
  notFound,
  ok,
  Page,
  progress,
  settled,
  status,
  stepEvent,
  timeOfDay,
} from "./fakes.js";

afterEach(() => mock.restoreAll());

const heartbeat = { now: "2026-01-01T00:00:00.000000+00:00", interval_ms: 15_000 };

/** A page whose stream is live at `progress(1)`. @param {import("./fakes.js").TrackerOptions} [options] */
async function livePage(options) {
  const page = new Page(options);
  void page.tracker.start();
  page.stream.open();
  page.stream.send("snapshot", progress(1), "e-1");
  await settled();
  return page;
}

test("a tracker streams, and asks for heartbeats that it can see", async () => {
  const page = await livePage({ baseUrl: "/jobs" });
  assert.equal(page.stream.url, "/jobs/api/progress/job/events?heartbeat=event");
  assert.equal(page.stream.withCredentials, false);
  assert.deepEqual(page.states, ["connecting", "live"]);
  assert.equal(page.requests.length, 0);
});

test("a session id is percent-encoded, whatever it contains", () => {
  const page = new Page();
  page.tracker.sessionId = "a?b#c%20/ü";
  void page.tracker.start();
  assert.equal(page.stream.url, "/api/progress/a%3Fb%23c%2520%2F%C3%BC/events?heartbeat=event");
});

test("each event is an update in the polling shape, at once", async () => {
  const page = await livePage();
  page.stream.send("step", stepEvent(2), "e-2");
  assert.equal(JSON.stringify(page.updates), JSON.stringify([progress(1), progress(2)]));
});

test("a snapshot replaces whatever was there", async () => {
  const page = await livePage();
  page.stream.send("snapshot", notFound, "f-0");
  page.stream.send("snapshot", progress(0), "g-0");
  page.stream.send("step", stepEvent(1), "g-1");
  assert.deepEqual(page.updates.slice(1), [notFound, progress(0), progress(1)]);
});

test("a page may change what it was given", async () => {
  const page = await livePage();
  const [first] = page.updates;
  first?.steps.reverse();
  Object.assign(first?.steps[0] ?? {}, { name: "changed" });
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates[1], progress(2));
});

test("while the browser reconnects by itself, nothing replaces its stream", async () => {
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

test("a stream that was closed is opened anew where it left off", async () => {
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

test("events of a stream that was given up are ignored", async () => {
  jitter(0);
  const page = await livePage();
  const old = page.stream;
  old.refuse();
  await page.clock.advance(1000);
  old.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates, [progress(1)]);
});

test("the back-off doubles from one second to thirty, with full jitter, and an opened stream does not reset it", async () => {
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

test("the first event resets the back-off", async () => {
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

test("after three interruptions in a row it polls", async () => {
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.interrupt();
  page.stream.send("heartbeat", heartbeat);
  await page.clock.advance(1000);
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.requests.length, 0, "an event in between starts the count anew");
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.requests.length, 1);
});

test("after each refusal it polls once to learn why, and after three in a row at intervals", async () => {
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

test("a stream that opens and ends without a word comes from a full server: polls bridge its time", async () => {
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
  assert.equal(page.streams.length, 1, "the browser comes back when the server said");
  page.stream.send("snapshot", progress(2), "e-2");
  assert.equal(page.tracker.state, "live");
});

test("where streams break and the browser comes back within a second, the back-off takes over", async () => {
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

test("so it does where they end without a word, and polls bridge its time", async () => {
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

test("a page that has nothing to show yet polls at the first failure", () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.interrupt();
  assert.equal(page.requests.length, 1);
});

test("a stream that says nothing for five seconds is not waited for: a proxy holds it back", async () => {
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

test("a stream that never said anything is tried again after fifteen seconds", async () => {
  jitter(0);
  const page = new Page();
  void page.tracker.start();
  await page.clock.advance(15_000);
  assert.equal(page.stream.readyState, 2);
  await page.clock.advance(1000);
  assert.equal(page.streams.length, 2);
});

test("a reconnect that takes the browser longer than five seconds is bridged by polls, and left to the browser", async () => {
  const page = await livePage();
  page.stream.interrupt();
  await page.clock.advance(5000);
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(1)));
  await page.clock.advance(20_000);
  assert.equal(page.streams.length, 1);
});

test("three heartbeats missed mean that the stream is dead", async () => {
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

/** A live page whose stream has beaten once, by a clock that goes with it. */
async function beatenPage() {
  jitter(0.5);
  const page = await livePage();
  timeOfDay(page.clock);
  page.stream.send("heartbeat", beat());
  return page;
}

test("a heartbeat that is five seconds overdue may be held back with all the rest: polls are added", async () => {
  const page = await beatenPage();
  await page.clock.advance(19_999);
  assert.equal(page.requests.length, 0);
  await page.clock.advance(1);
  assert.equal(page.requests.length, 1);
  await page.answer(ok(progress(2)));
  assert.deepEqual([page.tracker.state, page.updates.at(-1)], ["polling", progress(2)]);
  await page.clock.advance(20_000);
  assert.equal(page.streams.length, 1, "the stream is left to itself");
});

test("what is let go late is shown, and does not retire the polls; a heartbeat on time does", async () => {
  const page = await beatenPage();
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

test("a greeting that was held back, as the clock of polls tells, does not retire them", async () => {
  jitter(0.5);
  const page = new Page();
  timeOfDay(page.clock);
  void page.tracker.start();
  const greeting = beat();
  await page.clock.advance(14_000);
  await page.answer(ok(progress(1), { Date: new Date(Date.now()).toUTCString() }));
  page.stream.send("heartbeat", greeting);
  page.stream.send("snapshot", progress(0), "e-0");
  page.stream.send("step", stepEvent(1), "e-1");
  assert.deepEqual([page.tracker.state, page.updates], ["polling", [progress(1)]]);
  page.stream.send("heartbeat", beat());
  assert.equal(page.tracker.state, "live");
});

test("a heartbeat that comes late tells that the stream is", async () => {
  const page = await beatenPage();
  await page.clock.advance(15_000);
  page.stream.send("heartbeat", beat(4000));
  assert.equal(page.tracker.state, "live");
  page.stream.send("heartbeat", beat(6000));
  assert.equal(page.requests.length, 1);
});

test("while a stream is late and polls are ahead of it, it is not opened anew for that", async () => {
  const page = await beatenPage();
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
  assert.equal(page.streams.length, 2, "once it is on time, it is");
});

test("a new connection is not late because the one before was", async () => {
  const page = await beatenPage();
  await page.clock.advance(20_000);
  page.stream.interrupt();
  page.stream.send("snapshot", progress(1), "e-1");
  assert.equal(page.tracker.state, "live");
});

test("beside a stream whose heartbeats are as late as a network may be, nobody polls, nor where a clock is set", async () => {
  const page = await beatenPage();
  for (let minute = 0; minute < 10; minute += 1) {
    for (const age_ms of [0, 4000, 1000, 4000]) {
      await page.clock.advance(15_000 - age_ms);
      await page.clock.advance(age_ms);
      page.stream.send("heartbeat", beat(minute < 5 ? age_ms : age_ms + 3_600_000));
    }
  }
  assert.deepEqual([page.requests.length, page.streams.length], [0, 1]);
});

test("a stream that brings heartbeats alone is checked by a poll: a proxy may have let the first bytes through", async () => {
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

test("a stream that brings nothing but one heartbeat after the other is checked by a poll as well", async () => {
  const page = new Page();
  void page.tracker.start();
  for (let beats = 0; beats < 3; beats += 1) {
    page.stream.send("heartbeat", { ...heartbeat, interval_ms: 2000 });
    await page.clock.advance(2000);
  }
  assert.equal(page.requests.length, 1);
});

test("an event that cannot be read starts the stream afresh", async () => {
  const logged = mock.method(console, "error", () => {});
  jitter(0);
  const page = await livePage();
  page.stream.send("step", "{", "e-2");
  assert.equal(page.stream.readyState, 2);
  assert.equal(logged.mock.callCount(), 1);
  await page.clock.advance(1000);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
});

test("the end closes a stream whose session was not followed to its end, and asks afresh", async () => {
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

test("where the server's clock differs, now() follows the server", async () => {
  const page = await livePage();
  const ahead_ms = Date.now() + 3_600_000;
  assert.ok(page.tracker.now() < ahead_ms - 1_800_000);
  page.stream.send("heartbeat", { ...heartbeat, now: new Date(ahead_ms).toISOString() });
  assert.ok(Math.abs(page.tracker.now() - ahead_ms) < 60_000);
});

test("of several heartbeats the least delayed one counts, until a clock is set", async () => {
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

test("refused for want of permission, it stops and says so", async () => {
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
  test(`refused amid its work, it stops and says so, too (${transport})`, async () => {
    const page = await livePage({ transport });
    page.stream.refuse();
    await page.answer(status(401));
    assert.equal(page.tracker.state, "denied");
    assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  });
}
