/* How the trackers of a page share their streams. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { ProgressTracker } from "../lib/index.js";
import { FakeEventSource, jitter, ManualClock, ok, progress, settled, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

/** A page with an EventSource of its own for all its trackers. */
class SharedPage {
  clock = new ManualClock();
  /** @type {FakeEventSource[]} */
  streams = [];
  /** Per session the answer to the next polls. @type {Map<string, () => Response>} */
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

  /** @param {string} sessionId @param {import("./fakes.js").TrackerOptions} [options] */
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

  /** The only one. */
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

test("two trackers have one stream together, and each hears of its own session", async () => {
  const { page, a, b } = await pageOfTwo();
  assert.equal(page.stream.url, "/api/events?session_id=a&session_id=b&heartbeat=event");
  page.stream.send("step", step("b", 2), "m.3");
  assert.deepEqual([a.steps, b.steps], [[1], [1, 2]]);
  assert.deepEqual([a.tracker.state, b.tracker.state], ["live", "live"]);
  assert.equal(page.polls.length, 0);
});

test("a tracker that joins a stream has it opened anew, with snapshots of all", async () => {
  const page = new SharedPage();
  const a = page.track("a");
  page.stream.send("snapshot", snapshot("a", 1), "e-1");
  const [b, c] = [page.track("b"), page.track("c/?")];
  await page.clock.advance(50);
  assert.equal(page.streams.length, 2, "those who come together cost one opening");
  assert.equal(page.stream.url, "/api/events?session_id=a&session_id=b&session_id=c%2F%3F&heartbeat=event");
  page.stream.send("snapshot", snapshot("a", 1), "m.1");
  page.stream.send("snapshot", snapshot("b", 2), "m.2");
  page.stream.send("snapshot", snapshot("c/?", 0), "m.3");
  assert.deepEqual([a.steps, b.steps, c.steps], [[1], [2], [0]], "and what is the same is not said again");
  assert.equal(a.tracker.state, "live");
});

test("a second tracker of a session that is followed gets at once what is known", async () => {
  const { page, a } = await pageOfTwo();
  const again = page.track("a");
  await page.clock.advance(1000);
  assert.deepEqual(again.steps, [1]);
  page.stream.send("step", step("a", 2), "m.3");
  assert.deepEqual([a.steps, again.steps, page.streams.length], [[1, 2], [1, 2], 2]);
});

test("a tracker that stops leaves the others their stream, and the last one closes it", async () => {
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

test("nothing is left when the last one stops", async () => {
  const { page, a, b } = await pageOfTwo();
  a.tracker.stop();
  b.tracker.stop();
  assert.deepEqual([page.open.length, page.clock.timers.size], [0, 0]);
});

test("a session that comes back to a stream gets its snapshot", async () => {
  jitter(0);
  const { page, a } = await pageOfTwo();
  a.tracker.stop();
  page.track("c");
  await page.clock.advance(50);
  void a.tracker.start();
  await page.clock.advance(50);
  // The id still told where `a` was; what it was there is forgotten.
  page.stream.send("step", step("a", 2), "m.5");
  await page.clock.advance(1000);
  assert.doesNotMatch(page.stream.url, /last_event_id/);
  page.stream.send("snapshot", snapshot("a", 2), "m.6");
  assert.deepEqual(a.steps, [1, 2]);
});

test("more sessions than a stream carries are polled, and join it when there is room", async () => {
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

test("what fails, fails for all who share it, and what comes back, too", async () => {
  const { page, a, b } = await pageOfTwo();
  page.stream.interrupt();
  assert.deepEqual([a.tracker.state, b.tracker.state], ["reconnecting", "reconnecting"]);
  page.stream.send("step", step("a", 2), "m.3");
  assert.deepEqual([a.tracker.state, b.tracker.state], ["live", "live"]);
});

test("a tracker that joins a stream in trouble polls at once", async () => {
  const { page } = await pageOfTwo();
  page.stream.refuse();
  await settled();
  page.polls = [];
  const c = page.track("c");
  await settled();
  assert.deepEqual([page.polls, c.tracker.state], [["c"], "polling"]);
});

test("a session whose id fits into no address does not cost the others their stream", async () => {
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
  test(`a session that is ${what} does not cost the others their stream`, async () => {
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

test("the end of all sessions of a stream is its end", async () => {
  const { page, a, b } = await pageOfTwo();
  page.stream.send("snapshot", snapshot("a", 3), "m.3");
  assert.equal(page.open.length, 1);
  page.stream.send("snapshot", snapshot("b", 3), "m.4");
  assert.deepEqual([a.tracker.state, b.tracker.state], ["finished", "finished"]);
  assert.deepEqual([page.open.length, page.clock.timers.size], [0, 0]);
});

test("trackers of another server, or with credentials, have streams of their own", () => {
  const page = new SharedPage();
  page.track("a");
  page.track("b", { baseUrl: "/other" });
  page.track("c", { withCredentials: true });
  assert.equal(page.open.length, 3);
});

test("a tracker that joins while the stream reconnects is shown what is known once nothing can have been missed any more", async () => {
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

test("a tracker started again while the stream reconnects is not ended by the old error when it is back", async () => {
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

test("a tracker started while the stream reconnects is not ended by an error that it brings from before", async () => {
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

test("a second tracker of a session whose stream waits to be opened again polls soon", async () => {
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

test("a session that a reconnect has left out comes back with a snapshot", async () => {
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
