/* The tracker's methods, callbacks and endings. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test, { afterEach, mock } from "node:test";

import { jitter, ok, Page, progress, settled, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

/** @type {[string, "auto" | "poll", (page: Page, data: import("../lib/wire.js").Progress) => any][]} */
const bothWays = [
  ["stream", "auto", (page, data) => page.stream.send("snapshot", data, "e-1")],
  ["poll", "poll", (page, data) => page.answer(ok(data, { ETag: '"1"' }))],
];

const failed = progress(1, { status: "error" });
const completed = progress(3);
const nothing = { timers: 0, streams: 0, requests: 0 };

for (const [way, transport, send] of bothWays) {
  test(`start() resolves after the first update (${way})`, async () => {
    const page = new Page({ transport });
    let updatesThen = -1;
    const started = page.tracker.start().then(() => (updatesThen = page.updates.length));
    await page.clock.advance(1000);
    assert.equal(updatesThen, -1);
    await send(page, progress(1));
    await started;
    assert.equal(updatesThen, 1);
    assert.deepEqual(page.updates[0], progress(1));
  });

  test(`onUpdate is called at least each interval, changed or not (${way})`, async () => {
    jitter(0.5);
    const page = new Page({ transport, interval: 700 });
    void page.tracker.start();
    await send(page, progress(1));
    await page.clock.advance(2100);
    assert.equal(page.updates.length, 4);
    assert.deepEqual(new Set(page.updates.map((data) => JSON.stringify(data))), new Set([JSON.stringify(progress(1))]));
  });

  test(`a completed session stops the tracker, with one onComplete (${way})`, async () => {
    const page = new Page({ transport });
    /** @type {unknown[]} */
    const order = [];
    page.tracker.onUpdate = () => order.push("update", page.tracker.polling);
    page.tracker.onComplete = (data) => order.push(data, page.tracker.polling, page.tracker.state);
    void page.tracker.start();
    await send(page, completed);
    assert.deepEqual(order, ["update", true, completed, false, "finished"]);
    assert.deepEqual(page.leftovers, nothing);
    await page.clock.advance(60_000);
    assert.equal(order.length, 5);
    assert.equal(page.errors.length, 0);
  });

  test(`a failed session stops the tracker, with one onError (${way})`, async () => {
    const page = new Page({ transport });
    void page.tracker.start();
    await send(page, failed);
    await page.clock.advance(60_000);
    assert.deepEqual([page.updates, page.errors, page.completions], [[failed], [failed], []]);
    assert.equal(page.tracker.state, "finished");
  });

  test(`with stopOnError false, the tracker follows a retry of a failed session (${way})`, async () => {
    jitter(0.5);
    const page = new Page({ transport, stopOnError: false });
    void page.tracker.start();
    await send(page, failed);
    assert.equal(page.tracker.polling, true);
    await page.clock.advance(2000);
    await send(page, progress(2));
    assert.deepEqual(page.updates.at(-1), progress(2));
    assert.equal(page.errors.length, 0);
  });

  test(`stop() leaves nothing behind (${way})`, async () => {
    const page = new Page({ transport });
    void page.tracker.start();
    await send(page, progress(1));
    await page.clock.advance(2500);
    const updates = page.updates.length;
    page.tracker.stop();
    assert.deepEqual(page.leftovers, nothing);
    assert.equal(page.tracker.state, "stopped");
    assert.equal(page.tracker.polling, false);
    await page.clock.advance(60_000);
    assert.equal(page.updates.length, updates);
  });

  test(`a stopped tracker can be started again (${way})`, async () => {
    const page = new Page({ transport });
    void page.tracker.start();
    await send(page, completed);
    const again = page.tracker.start();
    assert.equal(page.tracker.state, "connecting");
    await send(page, completed);
    await again;
    assert.deepEqual([page.updates.length, page.completions.length], [2, 2]);
    assert.ok(page.streams.every((stream) => !stream.url.includes("last_event_id")));
    assert.ok(page.requests.every((request) => !("If-None-Match" in request.init.headers)));
  });
}

test("a second start() changes nothing", async () => {
  const page = new Page();
  const started = page.tracker.start();
  assert.equal(page.tracker.start(), started);
  assert.equal(page.streams.length, 1);
});

test("stop() before the first update resolves start()", async () => {
  const page = new Page();
  const started = page.tracker.start();
  page.tracker.stop();
  await started;
  assert.equal(page.updates.length, 0);
});

test("poll() works without start(), once, and resolves after its update", async () => {
  const page = new Page();
  const polled = page.tracker.poll();
  await page.answer(ok(progress(1)));
  await polled;
  assert.deepEqual(page.updates, [progress(1)]);
  await page.clock.advance(60_000);
  assert.deepEqual([page.updates.length, page.requests.length, page.streams.length], [1, 1, 0]);
  assert.equal(page.tracker.state, "stopped");
});

test("poll() calls onUpdate each time, and onComplete or onError once for each end", async () => {
  const page = new Page();
  for (const data of [failed, failed, progress(2, { status: "error" }), completed, completed]) {
    const polled = page.tracker.poll();
    await page.answer(ok(data));
    await polled;
  }
  assert.deepEqual([page.updates.length, page.errors, page.completions], [5, [failed], [completed]]);
});

test("poll() resolves without an answer too", async () => {
  const page = new Page();
  const polled = page.tracker.poll();
  await page.answer(new TypeError("Failed to fetch"));
  await polled;
  assert.deepEqual([page.updates, page.errors], [[], []]);
});

test("the step that completes the session calls onComplete", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", progress(2), "e-2");
  page.stream.send("step", stepEvent(3), "e-3");
  assert.deepEqual(page.completions, [completed]);
  assert.equal(page.stream.readyState, 2);
});

for (const [what, callback] of /** @type {[string, () => any][]} */ ([
  [
    "throws",
    () => {
      throw new Error("the page's own fault");
    },
  ],
  ["rejects", () => Promise.reject(new Error("the page's own fault"))],
])) {
  test(`a callback that ${what} is logged, and the tracker goes on`, async () => {
    const logged = mock.method(console, "error", () => {});
    const page = new Page();
    page.tracker.onUpdate = callback;
    page.tracker.onComplete = callback;
    const started = page.tracker.start();
    page.stream.send("snapshot", progress(2), "e-2");
    await started;
    page.stream.send("step", stepEvent(3), "e-3");
    await settled();
    assert.equal(logged.mock.callCount(), 3);
    assert.equal(page.tracker.state, "finished");
  });
}

test("stop() in onUpdate prevents further callbacks", async () => {
  const page = new Page();
  page.tracker.onUpdate = () => page.tracker.stop();
  void page.tracker.start();
  page.stream.send("snapshot", completed, "e-3");
  assert.equal(page.completions.length, 0);
  assert.equal(page.tracker.state, "stopped");
});

test("callbacks may be omitted, and set later", async () => {
  const page = new Page();
  page.tracker.onUpdate = page.tracker.onComplete = undefined;
  void page.tracker.start();
  page.stream.send("snapshot", progress(2), "e-2");
  /** @type {unknown[]} */
  const completions = [];
  page.tracker.onComplete = (data) => completions.push(data);
  page.stream.send("step", stepEvent(3), "e-3");
  assert.deepEqual(completions, [completed]);
});

test("an invalid interval falls back to two seconds", async () => {
  for (const interval of [0, -1, NaN, /** @type {any} */ (null)]) {
    const page = new Page({ interval });
    void page.tracker.start();
    page.stream.send("snapshot", progress(1), "e-1");
    await page.clock.advance(4000);
    assert.equal(page.updates.length, 3);
  }
});

test("an infinite interval does not overflow the timer", async () => {
  const page = new Page({ interval: Infinity });
  void page.tracker.start();
  page.stream.send("snapshot", progress(1), "e-1");
  assert.ok([...page.clock.timers].every((timer) => timer.due_ms < 2 ** 31));
});

test("an aborted signal stops a tracker, and keeps it from starting", async () => {
  const controller = new AbortController();
  const page = new Page({ signal: controller.signal });
  void page.tracker.start();
  controller.abort();
  assert.deepEqual(page.leftovers, nothing);
  await page.tracker.start();
  assert.equal(page.tracker.state, "stopped");
  assert.equal(page.streams.length, 1);
});

test("two trackers of a page are independent", async () => {
  const [one, other] = [new Page(), new Page()];
  void one.tracker.start();
  void other.tracker.start();
  one.stream.send("snapshot", completed, "e-3");
  other.stream.send("snapshot", progress(1), "f-1");
  assert.deepEqual([one.tracker.state, other.tracker.state], ["finished", "live"]);
});

test("a statechange listener can stop the tracker at once", async () => {
  const page = new Page();
  page.tracker.addEventListener("statechange", () => page.tracker.stop(), { once: true });
  await page.tracker.start();
  assert.equal(page.tracker.state, "stopped");
  assert.equal(page.streams.length, 0);
  assert.deepEqual(page.leftovers, nothing);
});

test("a number is accepted as a session's id, as in older pages", () => {
  const page = new Page();
  page.tracker.sessionId = /** @type {any} */ (42);
  void page.tracker.start();
  page.stream.send("heartbeat", { now: new Date().toISOString(), interval_ms: 15_000 });
  page.stream.send("snapshot", progress(1, { session_id: "42" }), "e-1");
  assert.deepEqual([page.tracker.state, page.updates.length], ["live", 1]);
});

test("a page that changes sessionId while it is followed has its stream closed", async () => {
  const page = new Page();
  void page.tracker.start();
  page.tracker.sessionId = "other";
  page.tracker.stop();
  assert.deepEqual(page.leftovers, nothing);
  void page.tracker.start();
  assert.match(page.stream.url, /other/);
});

test("stop() leaves a finished tracker finished", () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", completed, "e-3");
  page.tracker.stop();
  assert.equal(page.tracker.state, "finished");
});

test("polling can be set to false, as in older pages", () => {
  const page = new Page();
  void page.tracker.start();
  page.tracker.polling = false;
  assert.equal(page.tracker.state, "stopped");
  assert.deepEqual(page.leftovers, nothing);
});

test("data is a copy of the last update", async () => {
  const page = new Page();
  assert.deepEqual([page.tracker.data], [null]);
  void page.tracker.start();
  page.stream.send("snapshot", progress(1), "e-1");
  assert.deepEqual(page.tracker.data, progress(1));
  page.tracker.data?.steps.reverse();
  assert.deepEqual(page.tracker.data, progress(1));
  page.tracker.stop();
  assert.deepEqual(page.tracker.data, progress(1));
  void page.tracker.start();
  assert.deepEqual([page.tracker.data], [null]);
});

/** @param {Page} page */
function deny(page) {
  page.stream.refuse();
  return page.answer(status(403));
}

for (const [what, end, expected] of /** @type {[string, (page: Page) => any, unknown][]} */ ([
  ["completed", (page) => page.stream.send("snapshot", completed, "e-3"), completed],
  ["failed", (page) => page.stream.send("snapshot", failed, "e-3"), failed],
  ["stopped", (page) => page.tracker.stop(), null],
  ["denied", deny, null],
])) {
  test(`finished resolves to how the run ended: ${what}`, async () => {
    const page = new Page();
    const { finished } = page.tracker;
    void page.tracker.start();
    assert.equal(page.tracker.finished, finished);
    await end(page);
    assert.deepEqual(await finished, expected);
    assert.equal(page.tracker.finished, finished);
    void page.tracker.start();
    assert.notEqual(page.tracker.finished, finished);
    page.stream.send("snapshot", completed, "e-3");
    assert.deepEqual(await page.tracker.finished, completed);
  });
}

test("a signal that outlives the tracker keeps no listener of it", async () => {
  const { signal } = new AbortController();
  const page = new Page({ signal });
  void page.tracker.start();
  assert.equal(getEventListeners(signal, "abort").length, 1);
  page.tracker.stop();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("finished resolves if the signal was aborted before the start", async () => {
  const page = new Page({ signal: AbortSignal.abort() });
  await page.tracker.start();
  assert.equal(await page.tracker.finished, null);
});

test("a rejected session is not requested twice at once", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.send("snapshot", progress(1), "e-1");
  page.stream.refuse();
  await page.answer(status(404));
  assert.equal(page.requests.length, 1);
  await page.clock.advance(2200);
  assert.equal(page.requests.length, 2);
});

test("a rejected session is only polled, and gets its stream back with an answer", async () => {
  jitter(0.5);
  const page = new Page();
  void page.tracker.start();
  page.stream.refuse();
  await page.answer(status(422));
  assert.deepEqual(page.leftovers, { timers: 1, streams: 0, requests: 0 });
  await page.clock.advance(2000);
  await page.answer(ok(progress(1)));
  assert.equal(page.streams.length, 2);
});

test("start() in a statechange listener at the stop returns a promise of the first update", async () => {
  const page = new Page();
  void page.tracker.start();
  let isUpdated = false;
  page.tracker.addEventListener("statechange", () => {
    const restarted = page.tracker.state === "stopped" ? page.tracker.start() : new Promise(() => {});
    void restarted.then(() => {
      isUpdated = true;
    });
  });
  page.tracker.stop();
  await settled();
  assert.equal(isUpdated, false);
  page.stream.send("snapshot", progress(1), "e-1");
  await settled();
  assert.equal(isUpdated, true);
});

for (const [state, what, happens] of /** @type {[string, string, (page: Page) => void | Promise<void>][]} */ ([
  ["reconnecting", "without data", (page) => page.stream.refuse()],
  ["live", "before its snapshot", (page) => page.stream.send("heartbeat", { now: "", interval_ms: 15_000 })],
  [
    "reconnecting",
    "after silence",
    (page) => {
      page.stream.send("snapshot", progress(1), "e-1");
      return page.clock.advance(20_100);
    },
  ],
])) {
  test(`a tracker that a listener stops when it is ${state} (${what}) stays stopped, and leaves nothing`, async () => {
    const page = new Page();
    page.tracker.addEventListener("statechange", () => void (page.tracker.state === state && page.tracker.stop()));
    void page.tracker.start();
    await happens(page);
    await settled();
    assert.equal(page.tracker.state, "stopped");
    assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  });
}
