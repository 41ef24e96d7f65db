/* Trackers of a page that share streams. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { ProgressTracker } from "../lib/index.js";
import { FakeEventSource, jitter, ManualClock, ok, progress, settled, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

/** A page whose trackers share an EventSource class. */
class SharedPage {
  clock = new ManualClock();
  /** @type {FakeEventSource[]} */
  streams = [];
  /** The answer to the next polls of each session. @type {Map<string, () => Response>} */
  answers = new Map();
  /** @type {string[]} */
  polls = [];

  constructor() {
    const { streams } = this;
    this.EventSource = class extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        streams.push(this);
      }
    };
  }

  /** @param {string} sessionId @param {import("../lib/wire.js").TrackerOptions} [options] */
  track(sessionId, options) {
    /** @type {number[]} */
    const steps = [];
    const tracker = new ProgressTracker(sessionId, {
      interval: Infinity,
      onUpdate: (data) => void steps.push(data.current_step),
      EventSource: this.EventSource,
      fetch: /** @type {any} */ (
        async (/** @type {string} */ url) => {
          const id = url.split("/").at(-1) ?? "";
          this.polls.push(id);
          return this.answers.get(id)?.() ?? ok(progress(1, { session_id: id }));
        }
      ),
      timers: this.clock,
      ...options,
    });
    void tracker.start();
    return { tracker, steps };
  }

  /** Streams that are not closed. */
  get open() {
    return this.streams.filter((stream) => stream.readyState !== 2);
  }

  /** The only open stream. */
  get stream() {
    const [stream, ...others] = this.open;
    if (!stream || others.length) throw new Error(`there are ${this.open.length} streams`);
    return stream;
  }
}

/** @param {string} session_id @param {number} done */
const snapshot = (session_id, done) => progress(done, { session_id });
/** @param {string} session_id @param {number} done */
const step = (session_id, done) => stepEvent(done, { session_id });

const heartbeat = () => ({ now: new Date().toISOString(), interval_ms: 15_000 });

/** A page whose trackers `a` and `b` are live at their first step, on one stream. */
async function pageOfTwo() {
  const page = new SharedPage();
  const [a, b] = [page.track("a"), page.track("b")];
  await page.clock.advance(50);
  page.stream.send("snapshot", snapshot("a", 1), "m.1");
  page.stream.send("snapshot", snapshot("b", 1), "m.2");
  return { page, a, b };
}

test("two trackers share one stream, and each gets the events of its session", async () => {
  const { page, a, b } = await pageOfTwo();
  assert.equal(page.stream.url, "/api/events?session_id=a&session_id=b&heartbeat=event");
  page.stream.send("step", step("b", 2), "m.3");
  assert.deepEqual([a.steps, b.steps], [[1], [1, 2]]);
  assert.deepEqual([a.tracker.state, b.tracker.state], ["live", "live"]);
  assert.equal(page.polls.length, 0);
});

test("when a tracker joins, the stream is reopened with snapshots of all sessions", async () => {
  const page = new SharedPage();
  const a = page.track("a");
  page.stream.send("snapshot", snapshot("a", 1), "e-1");
  const [b, c] = [page.track("b"), page.track("c/?")];
  await page.clock.advance(50);
  assert.equal(page.streams.length, 2, "trackers that start together cause one reopening");
  assert.equal(page.stream.url, "/api/events?session_id=a&session_id=b&session_id=c%2F%3F&heartbeat=event");
  page.stream.send("snapshot", snapshot("a", 1), "m.1");
  page.stream.send("snapshot", snapshot("b", 2), "m.2");
  page.stream.send("snapshot", snapshot("c/?", 0), "m.3");
  assert.deepEqual([a.steps, b.steps, c.steps], [[1], [2], [0]], "unchanged data is no update");
  assert.equal(a.tracker.state, "live");
});

test("a second tracker of a followed session gets its data at once", async () => {
  const { page, a } = await pageOfTwo();
  const again = page.track("a");
  await page.clock.advance(1000);
  assert.deepEqual(again.steps, [1]);
  page.stream.send("step", step("a", 2), "m.3");
  assert.deepEqual([a.steps, again.steps, page.streams.length], [[1, 2], [1, 2], 2]);
});

test("a stopping tracker leaves the stream to the others, and the last one closes it", async () => {
  const { page, a, b } = await pageOfTwo();
  a.tracker.stop();
  await page.clock.advance(1000);
  page.stream.send("step", step("a", 2), "m.3");
  page.stream.send("step", step("b", 2), "m.4");
  assert.deepEqual([a.steps, b.steps, page.streams.length], [[1], [1, 2], 2]);
  page.track("c");
  await page.clock.advance(50);
  assert.match(page.stream.url, /session_id=b&session_id=c&heartbeat/);
  for (const { tracker } of [b, page.track("c")]) tracker.stop();
  await page.clock.advance(0);
});

test("nothing is left when the last tracker stops", async () => {
  const { page, a, b } = await pageOfTwo();
  a.tracker.stop();
  b.tracker.stop();
  assert.deepEqual([page.open.length, page.clock.timers.size], [0, 0]);
});

test("a session that returns to a stream gets a snapshot", async () => {
  jitter(0);
  const { page, a } = await pageOfTwo();
  a.tracker.stop();
  page.track("c");
  await page.clock.advance(50);
  void a.tracker.start();
  await page.clock.advance(50);
  // The id still covers `a`, whose data is forgotten.
  page.stream.send("step", step("a", 2), "m.5");
  await page.clock.advance(1000);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
  page.stream.send("snapshot", snapshot("a", 2), "m.6");
  assert.deepEqual(a.steps, [1, 2]);
});

test("sessions beyond a stream's limit are polled, and join it when there is room", async () => {
  const page = new SharedPage();
  const trackers = Array.from({ length: 22 }, (_, index) => page.track(`s${index}`));
  await page.clock.advance(50);
  assert.equal(page.stream.url.split("session_id=").length - 1, 20);
  assert.deepEqual(new Set(page.polls), new Set(["s20", "s21"]));
  page.stream.send("heartbeat", heartbeat());
  assert.deepEqual(
    [0, 19, 20].map((index) => trackers[index]?.tracker.state),
    ["live", "live", "polling"],
  );
  trackers[5]?.tracker.stop();
  await page.clock.advance(50);
  const ids = new URL(page.stream.url, "http://test").searchParams.getAll("session_id");
  assert.equal(ids.length, 20);
  assert.deepEqual([ids.includes("s5"), ids.includes("s20"), ids.includes("s21")], [false, true, false]);
  page.stream.send("heartbeat", heartbeat());
  assert.equal(trackers[20]?.tracker.state, "live");
});

test("a failure reaches all trackers of a stream, and so does its recovery", async () => {
  const { page, a, b } = await pageOfTwo();
  page.stream.interrupt();
  assert.deepEqual([a.tracker.state, b.tracker.state], ["reconnecting", "reconnecting"]);
  page.stream.send("step", step("a", 2), "m.3");
  assert.deepEqual([a.tracker.state, b.tracker.state], ["live", "live"]);
});

test("a tracker that joins a failing stream polls at once", async () => {
  const { page } = await pageOfTwo();
  page.stream.refuse();
  await settled();
  page.polls = [];
  const c = page.track("c");
  await settled();
  assert.deepEqual([page.polls, c.tracker.state], [["c"], "polling"]);
});

test("a session whose id fits into no URL leaves the stream to the others", async () => {
  jitter(0);
  mock.method(console, "error", () => {});
  const { page, a } = await pageOfTwo();
  const cut = page.track("c\ud83d");
  await page.clock.advance(50);
  await settled();
  assert.equal(cut.tracker.state, "reconnecting");
  await page.clock.advance(1000);
  assert.match(page.stream.url, /\?session_id=a&session_id=b&heartbeat/);
  page.stream.send("step", step("a", 2), "m.3");
  assert.deepEqual([a.steps, a.tracker.state], [[1, 2], "live"]);
});

for (const [what, code, state] of /** @type {const} */ ([
  ["forbidden", 403, "denied"],
  ["malformed", 422, "reconnecting"],
])) {
  test(`a session that is ${what} leaves the stream to the others`, async () => {
    jitter(0);
    const { page, a } = await pageOfTwo();
    page.answers.set("c", () => status(code));
    const c = page.track("c");
    await page.clock.advance(50);
    page.stream.refuse();
    await settled();
    assert.equal(c.tracker.state, state);
    await page.clock.advance(1000);
    assert.match(page.stream.url, /\?session_id=a&session_id=b&heartbeat/);
    page.stream.send("step", step("a", 2), "m.3");
    assert.deepEqual([a.steps, a.tracker.state], [[1, 2], "live"]);
  });
}

test("a stream closes when all its sessions are completed", async () => {
  const { page, a, b } = await pageOfTwo();
  page.stream.send("snapshot", snapshot("a", 3), "m.3");
  assert.equal(page.open.length, 1);
  page.stream.send("snapshot", snapshot("b", 3), "m.4");
  assert.deepEqual([a.tracker.state, b.tracker.state], ["finished", "finished"]);
  assert.deepEqual([page.open.length, page.clock.timers.size], [0, 0]);
});

test("trackers of another server, or with credentials, have separate streams", () => {
  const page = new SharedPage();
  page.track("a");
  page.track("b", { baseUrl: "/other" });
  page.track("c", { withCredentials: true });
  assert.equal(page.open.length, 3);
});

test("a tracker that joins while the stream reconnects gets the data once nothing can be missing", async () => {
  const page = new SharedPage();
  page.track("a");
  page.stream.send("snapshot", snapshot("a", 1), "e-1");
  page.stream.interrupt();
  const late = page.track("a");
  await page.clock.advance(1000);
  page.stream.open();
  page.stream.send("heartbeat", heartbeat());
  assert.deepEqual([late.tracker.state, late.steps], ["live", []]);
  page.stream.send("heartbeat", heartbeat());
  assert.deepEqual(late.steps, [1]);
});

test("a tracker restarted while the stream reconnects is not ended by the old error", async () => {
  const { page, b } = await pageOfTwo();
  page.stream.send("snapshot", progress(1, { session_id: "b", status: "error" }), "m.3");
  assert.equal(b.tracker.state, "finished");
  page.stream.interrupt();
  void b.tracker.start();
  await page.clock.advance(1500);
  page.stream.open();
  page.stream.send("heartbeat", heartbeat());
  page.stream.send("step", step("b", 2), "m.4");
  assert.equal(b.tracker.state, "live");
});

test("a tracker started while the stream reconnects is not ended by an earlier error", async () => {
  const { page } = await pageOfTwo();
  page.stream.interrupt();
  let errors = 0;
  const late = page.track("b", { onError: () => void errors++ });
  await page.clock.advance(1000);
  page.stream.open();
  page.stream.send("heartbeat", heartbeat());
  page.stream.send("step", stepEvent(2, { session_id: "b", status: "error" }), "m.3");
  page.stream.send("step", step("b", 2), "m.4");
  assert.deepEqual([errors, late.tracker.state], [0, "live"]);
  page.stream.send("heartbeat", heartbeat());
  assert.deepEqual([errors, late.steps], [0, [2]]);
});

test("a second tracker of a session whose stream waits to reconnect polls soon", async () => {
  jitter(0.999);
  const { page } = await pageOfTwo();
  page.stream.refuse();
  for (const wait_ms of [2000, 4000, 8000, 16_000]) {
    await page.clock.advance(wait_ms);
    page.stream.refuse();
  }
  const again = page.track("a");
  await page.clock.advance(5000);
  assert.deepEqual([page.open.length, again.steps], [0, [1]]);
});

test("a session that a reconnect left out returns with a snapshot", async () => {
  jitter(0);
  const { page, b } = await pageOfTwo();
  b.tracker.stop();
  page.stream.refuse();
  await page.clock.advance(1100);
  page.stream.open();
  assert.doesNotMatch(page.stream.url, /session_id=b/);
  const again = page.track("b");
  await page.clock.advance(100);
  assert.equal(page.stream.url, "/api/events?session_id=a&session_id=b&heartbeat=event", "no position that covers it");
  page.stream.send("snapshot", snapshot("b", 2), "m.3");
  assert.deepEqual(again.steps, [2]);
});
