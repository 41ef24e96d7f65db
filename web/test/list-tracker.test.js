/* How a list of sessions is followed: by a stream, by polls beside it, and with older sessions on request. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";
import { ProgressListTracker } from "../lib/index.js";
import { fetchInto } from "./fakes/fetch.js";
import { listed } from "./fakes/listed.js";
import { Browser, FakeEventSource, jitter, ManualClock, settled, status } from "./fakes.js";

/** @typedef {import("../lib/wire.js").ListTrackerOptions} ListTrackerOptions */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */
/** @typedef {import("./fakes/fetch.js").Request} Request */

afterEach(() => mock.restoreAll());

/** A page that follows a list, whose surroundings are fakes. */
class ListPage {
  clock = new ManualClock();
  /** @type {FakeEventSource[]} */
  streams = [];
  /** @type {Request[]} */
  requests = [];
  /** @type {SessionList[]} */
  updates = [];
  /** @type {string[]} */
  states = [];

  /** @param {ListTrackerOptions} [options] */
  constructor(options = {}) {
    const page = this;
    class EventSource extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        page.streams.push(this);
      }
    }
    this.tracker = new ProgressListTracker({
      onUpdate: (list) => void this.updates.push(list),
      EventSource,
      fetch: /** @type {typeof fetch} */ (fetchInto(this.requests)),
      timers: this.clock,
      ...options,
    });
    this.tracker.addEventListener("statechange", () => void this.states.push(this.tracker.state));
  }

  /** With a live stream of these sessions. @param {number[]} ages @param {boolean} [more] @param {ListTrackerOptions} [options] */
  static async live(ages, more = false, options = {}) {
    const page = new ListPage(options);
    page.tracker.start();
    await settled();
    page.stream.open();
    page.stream.send("list", { sessions: ages.map((age) => listed(age)), more });
    await settled();
    return page;
  }

  get stream() {
    const stream = this.streams.at(-1);
    assert.ok(stream, "no stream was opened");
    return stream;
  }

  get ids() {
    return this.tracker.data?.sessions.map(({ session_id }) => session_id);
  }

  /** Answers the newest request. @param {Response | Error} response */
  async answer(response) {
    this.requests.at(-1)?.answer(response);
    await settled();
  }
}

/** @param {number[]} ages @param {string | null} [next] */
const page = (ages, next = null) => Response.json({ sessions: ages.map((age) => listed(age)), next });

test("a list is followed by its filter, and its events change it", async () => {
  const shown = await ListPage.live([1, 3], false, {
    prefix: "a b/",
    labels: { team: "x:y", env: "ü" },
    status: ["lost", "failed"],
  });
  assert.equal(
    shown.stream.url,
    "/api/events?prefix=a+b%2F&label=env%3A%C3%BC&label=team%3Ax%3Ay&status=failed&status=lost&heartbeat=event",
  );
  assert.deepEqual([shown.ids, shown.tracker.data?.more], [["s1", "s3"], false]);
  shown.stream.send("session", { session: listed(2) });
  shown.stream.send("session", { session: listed(4) });
  shown.stream.send("session", { session: listed(0) });
  assert.deepEqual(shown.ids, ["s0", "s1", "s2", "s3", "s4"]);
  shown.stream.send("session", { session: listed(3, { percentage: 60 }) });
  assert.equal(shown.tracker.data?.sessions[3]?.percentage, 60);
  shown.stream.send("removed", { session_id: "s2" });
  shown.stream.send("removed", { session_id: "unknown" });
  assert.deepEqual(shown.ids, ["s0", "s1", "s3", "s4"]);
  assert.deepEqual(shown.states, ["connecting", "live"]);
  assert.equal(shown.requests.length, 0);
});

test("a session that was replaced moves to its new place", async () => {
  const shown = await ListPage.live([1, 2, 3]);
  shown.stream.send("session", { session: { ...listed(0), session_id: "s3" } });
  assert.deepEqual(shown.ids, ["s3", "s1", "s2"]);
});

test("after an interruption the new list counts", async () => {
  jitter(0);
  const shown = await ListPage.live([1, 2]);
  shown.stream.refuse();
  assert.equal(shown.tracker.state, "reconnecting");
  await shown.clock.advance(1000);
  assert.equal(shown.stream.url, "/api/events?prefix=&heartbeat=event");
  shown.stream.send("list", { sessions: [listed(2)], more: false });
  assert.deepEqual(shown.ids, ["s2"]);
  assert.equal(shown.tracker.state, "live");
});

test("older sessions come on request, and events count more than the answer", async () => {
  const shown = await ListPage.live([1, 2], true);
  shown.tracker.showMore();
  assert.equal(shown.requests[0]?.url, "/api/progress?prefix=&limit=1000");
  shown.stream.send("session", { session: listed(3, { percentage: 90 }) });
  shown.stream.send("removed", { session_id: "s2" });
  shown.stream.send("removed", { session_id: "s5" });
  await shown.answer(page([1, 2, 3, 4, 5]));
  assert.deepEqual(shown.ids, ["s1", "s3", "s4"]);
  assert.equal(shown.tracker.data?.sessions[1]?.percentage, 90);
  assert.equal(shown.tracker.data?.more, false);
  shown.stream.send("list", { sessions: [listed(1)], more: true });
  assert.equal(shown.requests.length, 2, "after an interruption they are requested again");
  await shown.answer(page([1, 4]));
  assert.deepEqual(shown.ids, ["s1", "s4"]);
});

test("a longer list is requested again, since the stream does not tell each end", async () => {
  jitter(0);
  const shown = await ListPage.live([1], true);
  shown.stream.send("heartbeat", { now: new Date().toISOString(), interval_ms: 600_000 });
  shown.tracker.showMore();
  await shown.answer(page([1, 2, 3]));
  const [before] = shown.tracker.data?.sessions.slice(1) ?? [];
  await shown.clock.advance(29_000);
  assert.equal(shown.requests.length, 1);
  await shown.clock.advance(1000);
  assert.equal(shown.requests.length, 2);
  shown.stream.send("session", { session: listed(9) });
  await shown.answer(page([1, 2]));
  assert.deepEqual(shown.ids, ["s1", "s2", "s9"]);
  assert.equal(shown.tracker.data?.sessions[1], before, "what has not changed is the same object");
});

test("a failed request for more is not repeated by each event", async () => {
  const shown = await ListPage.live([1], true);
  shown.tracker.showMore();
  await shown.answer(status(503));
  shown.stream.send("session", { session: listed(0) });
  shown.stream.send("session", { session: listed(2) });
  assert.equal(shown.requests.length, 1);
});

test("a list has a thousand sessions at most", async () => {
  const ages = Array.from({ length: 1000 }, (_, index) => index + 1);
  const shown = await ListPage.live(ages);
  shown.stream.send("session", { session: listed(0) });
  assert.deepEqual([shown.ids?.length, shown.ids?.[0], shown.ids?.at(-1)], [1000, "s0", "s999"]);
  assert.equal(shown.tracker.data?.more, true);
});

test("a list is polled while no stream works, and streamed again", async () => {
  jitter(0);
  const shown = new ListPage();
  shown.tracker.start();
  await shown.clock.advance(5000);
  await shown.answer(page([2], "cursor"));
  assert.deepEqual([shown.ids, shown.tracker.data?.more], [["s2"], true]);
  assert.equal(shown.tracker.state, "polling");
  await shown.clock.advance(4000);
  await shown.answer(page([1, 2]));
  assert.deepEqual(shown.ids, ["s1", "s2"]);
  shown.stream.send("list", { sessions: [listed(0)], more: false });
  assert.equal(shown.tracker.state, "live");
  const { length } = shown.requests;
  await shown.clock.advance(5000);
  assert.equal(shown.requests.length, length);
});

test("a poll that shows nothing new is no update, and what has not changed is the same object", async () => {
  jitter(0);
  const shown = new ListPage({ transport: "poll" });
  shown.tracker.start();
  await shown.answer(page([1, 2], "cursor"));
  await shown.clock.advance(4000);
  await shown.answer(page([1, 2], "cursor"));
  assert.equal(shown.updates.length, 1);
  await shown.clock.advance(4000);
  await shown.answer(page([0, 1, 2], "cursor"));
  await shown.clock.advance(4000);
  await shown.answer(page([0, 1, 2]));
  assert.deepEqual(
    shown.updates.map(({ more }) => more),
    [true, true, false],
  );
  const [first, second] = shown.updates.map(({ sessions }) => sessions);
  assert.equal(first?.[0], second?.[1]);
});

test("a refusal for lack of permission ends it, and nothing is left behind", async () => {
  const shown = new ListPage();
  shown.tracker.start();
  await settled();
  shown.stream.refuse();
  await shown.answer(status(403));
  assert.deepEqual(shown.states, ["connecting", "reconnecting", "denied"]);
  assert.equal(shown.clock.timers.size, 0);
  assert.equal(shown.stream.readyState, 2);
});

test("stop leaves nothing behind", async () => {
  const shown = await ListPage.live([1], true);
  shown.tracker.showMore();
  shown.tracker.stop();
  await settled();
  assert.equal(shown.requests[0]?.isOpen, false);
  assert.equal(shown.clock.timers.size, 0);
  assert.equal(shown.stream.readyState, 2);
  assert.equal(shown.tracker.state, "stopped");
});

test("a page that stops it while it takes a list leaves nothing behind", async () => {
  const shown = new ListPage({ onUpdate: () => shown.tracker.stop() });
  shown.tracker.showMore();
  shown.tracker.start();
  await settled();
  shown.stream.send("list", { sessions: [listed(1)], more: true });
  await settled();
  assert.equal(shown.tracker.state, "stopped");
  assert.equal(shown.requests.length, 0);
  assert.equal(shown.clock.timers.size, 0);
});

test("after an interruption a longer list stays until the older sessions are known anew", async () => {
  const shown = await ListPage.live([1, 2], true);
  shown.tracker.showMore();
  await shown.answer(page([1, 2, 3]));
  shown.stream.send("list", { sessions: [listed(0), listed(2)], more: true });
  shown.stream.send("session", { session: listed(2, { percentage: 50 }) });
  assert.deepEqual(shown.ids, ["s1", "s2", "s3"]);
  assert.equal(shown.requests.length, 2);
  await shown.answer(page([0, 2, 4]));
  assert.deepEqual(shown.ids, ["s0", "s2", "s4"]);
  assert.equal(shown.tracker.data?.sessions[1]?.percentage, 50);
  shown.stream.send("list", { sessions: [listed(2)], more: true });
  await shown.answer(status(503));
  assert.deepEqual(shown.ids, ["s2"], "without an answer the new list counts");
  assert.equal(shown.tracker.data?.more, true);
});

test("tabs that follow the same list share its stream, which passes on with the list", async () => {
  const browser = new Browser();
  const tabs = [browser.tab(), browser.tab()];
  /** @type {(import("../lib/wire.js").ProgressListTracker)[]} */
  const trackers = tabs.map((tab) => new tab.scope.ProgressListTracker({ prefix: "a" }));
  const ids = () => trackers.map(({ data }) => data?.sessions.map(({ session_id }) => session_id).join());
  for (const tracker of trackers) {
    tracker.start();
    await browser.clock.advance(500);
  }
  browser.stream.send("list", { sessions: [listed(1)], more: false });
  await settled();
  browser.stream.send("session", { session: listed(2) });
  await settled();
  assert.deepEqual(ids(), ["s1,s2", "s1,s2"]);
  trackers[0]?.stop();
  await browser.clock.advance(500);
  browser.stream.send("list", { sessions: [listed(2)], more: false });
  await settled();
  assert.equal(ids()[1], "s2");
  assert.equal(browser.requests.length, 0);
});

test("a rejection by the page's function is written to the console, as an error in it is", async () => {
  const failure = new Error("the page's own");
  const written = mock.method(console, "error", () => {});
  const shown = await ListPage.live([1], false, { onUpdate: () => /** @type {any} */ (Promise.reject(failure)) });
  assert.deepEqual(
    written.mock.calls.map(({ arguments: [error] }) => error),
    [failure],
  );
  assert.deepEqual(shown.ids, ["s1"]);
});
