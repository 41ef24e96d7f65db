/* The lines of a log reach the page once each, in order, whatever the stream repeats or leaves out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { afterEach, mock } from "node:test";
import { LogFollower, PAGE_LINES } from "../src/log-follower.js";
import { heartbeat, liveTabs, send } from "./fakes/live-tabs.js";
import { livePage, ManualClock, ok, Page, progress, settled, status } from "./fakes.js";

/** @typedef {import("../src/log-follower.js").LogPage} LogPage */
/** @typedef {import("../lib/wire.js").LogUpdate} LogUpdate */

afterEach(() => mock.restoreAll());

/** @param {number} n @returns {import("../lib/wire.js").LogLine} */
const line = (n) => ({ n, at: "2026-01-02T03:04:05Z", step: null, level: "info", text: `line ${n}` });

/** @param {number} from @param {number} to */
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => line(from + index));

/** A server's log: it keeps the newest `kept` lines. */
class Server {
  life = "a";
  last = 0;
  kept = 5000;
  isAway = false;
  /** The status of a refusal; 0 is none. */
  refusal = 0;
  /** The values of `after` that were asked for. @type {number[]} */
  asked = [];

  get first() {
    return Math.max(1, this.last - this.kept + 1);
  }

  /** @param {number} after @returns {Promise<LogPage>} */
  async load(after) {
    this.asked.push(after);
    if (this.isAway) throw new Error("away");
    if (this.refusal) throw Object.assign(new Error("refused"), { status: this.refusal });
    return this.page(
      Math.max(after + 1, this.first),
      Math.min(this.last, Math.max(after, this.first - 1) + PAGE_LINES),
    );
  }

  /** @param {number} from @param {number} [to] */
  page(from, to = this.last) {
    return { life: this.life, lines: lines(from, to), first: this.first, next: to };
  }
}

/** A follower of such a log, and what it has handed on. */
function followed() {
  const [server, clock] = [new Server(), new ManualClock()];
  /** @type {LogUpdate[]} */
  const updates = [];
  /** @type {number[]} */
  const shown = [];
  const follower = new LogFollower({
    load: (after) => server.load(after),
    onLines(update) {
      updates.push(update);
      if (update.isNew) shown.length = 0;
      shown.push(...update.lines.map(({ n }) => n));
    },
    timers: clock,
  });
  return { server, clock, follower, updates, shown };
}

/** @param {number} from @param {number} to */
const numbers = (from, to) => lines(from, to).map(({ n }) => n);

test("all kept lines come first, in several answers where they are many", async () => {
  const { server, follower, shown } = followed();
  server.last = 2500;
  await follower.sync();
  assert.deepEqual(shown, numbers(1, 2500));
  assert.deepEqual(server.asked, [0, 1000, 2000]);
});

test("a tail that repeats known lines is dropped by its numbers", async () => {
  const { server, follower, shown } = followed();
  server.last = 10;
  await follower.sync();
  server.last = 12;
  follower.add(server.page(4));
  follower.add(server.page(4));
  assert.deepEqual(shown, numbers(1, 12));
  assert.deepEqual(server.asked, [0]);
});

test("lines that the stream has left out are loaded", async () => {
  const { server, follower, shown } = followed();
  server.last = 10;
  await follower.sync();
  server.last = 400;
  follower.add(server.page(201));
  await settled();
  assert.deepEqual(shown, numbers(1, 400));
});

test("lines that are no longer kept are counted, before the next one", async () => {
  const { server, follower, updates, shown } = followed();
  server.kept = 100;
  server.last = 300;
  await follower.sync();
  assert.deepEqual(updates.at(-1)?.missed, 200);
  server.last = 450;
  follower.add(server.page(351));
  await settled();
  assert.deepEqual(updates.at(-1)?.missed, 50);
  assert.deepEqual(shown, [...numbers(201, 300), ...numbers(351, 450)]);
  assert.deepEqual(server.asked, [0]);
});

const LOGS = JSON.parse(readFileSync(new URL("../../tests/corpus/logs.json", import.meta.url), "utf8"));

for (const { name, moments, texts } of LOGS) {
  test(`a log is followed: ${name}`, async () => {
    /** @type {LogPage} */
    let log;
    /** @type {string[]} */
    const taken = [];
    const follower = new LogFollower({
      load: async (after) => ({ ...log, lines: log.lines.filter(({ n }) => n > after) }),
      onLines: ({ lines }) => void taken.push(...lines.map(({ text }) => text)),
      timers: new ManualClock(),
    });
    for (const moment of moments) {
      log = moment.log;
      for (const page of moment.events) follower.add(page);
      await settled();
    }
    assert.deepEqual(taken, texts);
  });
}

test("another life begins anew", async () => {
  const { server, follower, updates, shown } = followed();
  server.last = 10;
  await follower.sync();
  server.life = "b";
  server.last = 3;
  follower.add(server.page(3));
  await settled();
  assert.deepEqual(shown, [1, 2, 3]);
  assert.deepEqual(
    updates.filter(({ isNew }) => isNew).map(({ life }) => life),
    ["a", "b"],
  );
});

test("lines that come while others are loaded are neither lost nor shown twice", async () => {
  const { server, follower, shown } = followed();
  server.last = 10;
  const loading = follower.sync();
  server.last = 11;
  follower.add(server.page(11));
  await loading;
  assert.deepEqual(shown, numbers(1, 11));
});

test("a log that cannot be loaded is asked for again, until nothing wants it", async () => {
  const { server, clock, follower, shown } = followed();
  server.isAway = true;
  server.last = 2;
  await follower.sync();
  await clock.advance(2000);
  server.isAway = false;
  await clock.advance(2000);
  assert.deepEqual(shown, [1, 2]);
  server.isAway = true;
  await follower.sync();
  follower.stop();
  assert.equal(clock.timers.size, 0);
  await follower.sync();
  follower.add({ ...server.page(3, 4), life: "c" });
  assert.deepEqual(server.asked, [0, 0, 0, 2]);
});

test("a refusal is not asked for again before something changes", async () => {
  const { server, clock, follower, shown } = followed();
  server.last = 2;
  for (const [code, timers] of /** @type {[number, number][]} */ ([
    [403, 0],
    [404, 0],
    [429, 1],
    [503, 1],
  ])) {
    server.refusal = code;
    await follower.sync();
    assert.equal(clock.timers.size, timers, String(code));
  }
  server.refusal = 0;
  await follower.sync();
  assert.deepEqual(shown, [1, 2]);
  assert.equal(clock.timers.size, 0);
});

test("a session without a log any more shows none", async () => {
  const { server, follower, updates } = followed();
  follower.forget();
  server.last = 1;
  await follower.sync();
  follower.forget();
  assert.deepEqual(updates.at(-1), { life: "", isNew: true, lines: [], missed: 0 });
  assert.equal(updates.length, 3);
});

// The tracker

/** @param {LogPage} page */
const answerOf = (page) => Response.json(page);
const withLog = (/** @type {number} */ done, /** @type {object} */ more = {}) => progress(done, { log: true, ...more });
/** @param {number} from @param {number} to @param {string} [session_id] */
const event = (from, to, session_id = "job") => ({
  session_id,
  life: "a",
  lines: lines(from, to),
  first: 1,
  next: to,
});

test("a stream has log=1 only while a page follows the log, and goes on from where it was", async () => {
  const page = await livePage();
  assert.doesNotMatch(page.stream.url, /log=1/);
  page.stream.send("snapshot", withLog(1), "e-2");
  const stopping = new AbortController();
  /** @type {string[]} */
  const texts = [];
  page.tracker.followLog(({ lines }) => void texts.push(...lines.map(({ text }) => text)), stopping);
  assert.match(page.requests.at(-1)?.url ?? "", /\/api\/progress\/job\/log\?after=0&limit=1000$/);
  await page.answer(answerOf(event(1, 2)));
  await page.clock.advance(100);
  assert.match(page.stream.url, /heartbeat=event&log=1&last_event_id=e-2$/);
  page.stream.open();
  page.stream.send("log", event(1, 2));
  page.stream.send("log", event(3, 3));
  assert.deepEqual(texts, ["line 1", "line 2", "line 3"]);
  page.stream.interrupt();
  stopping.abort();
  await page.clock.advance(100);
  assert.doesNotMatch(page.stream.url, /log=1/);
  assert.match(page.stream.url, /last_event_id=e-2$/, "lines have no id");
  page.tracker.stop();
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
});

test("a page that polls asks for further lines with each poll", async () => {
  const page = new Page({ transport: "poll", interval: 1000 });
  void page.tracker.start();
  await page.answer(ok(withLog(1)));
  /** @type {number[]} */
  const shown = [];
  page.tracker.followLog(({ lines }) => void shown.push(...lines.map(({ n }) => n)));
  await page.answer(answerOf(event(1, 2)));
  await page.clock.advance(1100);
  await page.answer(status(304));
  assert.match(page.requests.at(-1)?.url ?? "", /log\?after=2/);
  await page.answer(answerOf(event(3, 4)));
  assert.deepEqual(shown, [1, 2, 3, 4]);
});

test("the last lines come also after the end, and to those who follow only then", async () => {
  const page = await livePage();
  page.stream.send("snapshot", withLog(1), "e-2");
  /** @type {number[]} */
  const shown = [];
  page.tracker.followLog(({ lines }) => void shown.push(...lines.map(({ n }) => n)));
  await page.answer(answerOf(event(1, 2)));
  page.stream.send("snapshot", withLog(4, { status: "completed" }), "e-3");
  assert.equal(page.tracker.state, "finished");
  await page.answer(answerOf(event(3, 3)));
  page.tracker.followLog(({ lines }) => void shown.push(...lines.map(({ n }) => 100 * n)));
  await page.answer(answerOf(event(1, 3)));
  assert.deepEqual(shown, [1, 2, 3, 100, 200, 300]);
});

test("a session that is replaced has another log", async () => {
  const page = await livePage();
  page.stream.send("snapshot", withLog(1), "e-2");
  /** @type {boolean[]} */
  const news = [];
  page.tracker.followLog(({ isNew }) => void news.push(isNew));
  await page.answer(answerOf(event(1, 2)));
  page.stream.send("snapshot", progress(0), "f-1");
  assert.deepEqual(news, [true, false, true]);
  page.stream.send("snapshot", withLog(0), "f-2");
  await page.answer(status(404));
  assert.deepEqual(news, [true, false, true]);
});

test("a listener that throws disturbs neither the stream nor the lines that follow", async () => {
  const errors = mock.method(console, "error", () => {});
  const page = await livePage();
  page.stream.send("snapshot", withLog(1), "e-2");
  /** @type {number[]} */
  const shown = [];
  page.tracker.followLog(({ lines }) => {
    shown.push(...lines.map(({ n }) => n));
    throw new Error("of the page");
  });
  await page.answer(answerOf(event(1, 2)));
  await page.clock.advance(100);
  page.stream.open();
  page.stream.send("log", event(3, 3));
  assert.deepEqual(shown, [1, 2, 3]);
  assert.equal(page.tracker.state, "live");
  assert.equal(page.streams.length, 2, "one more for log=1");
  assert.equal(errors.mock.callCount(), 3);
  await page.clock.advance(3000);
  assert.equal(page.requests.length, 1, "the lines are not loaded again");
});

test("all tabs have the log of the one stream while one of them follows it", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: true }, 2);
  const [holder, other] = tabs;
  assert(holder && other);
  await send(browser, "snapshot", withLog(1), "e-2");
  const stopping = new AbortController();
  /** @type {number[]} */
  const shown = [];
  other.tracker.followLog(({ lines }) => void shown.push(...lines.map(({ n }) => n)), stopping);
  await settled();
  browser.requests.at(-1)?.answer(answerOf(event(1, 2)));
  await browser.clock.advance(500);
  assert.match(browser.stream.url, /log=1/);
  assert.equal(browser.stream.tab, holder.tab);
  browser.stream.open();
  await send(browser, "heartbeat", heartbeat());
  await send(browser, "log", event(1, 4));
  assert.deepEqual(shown, [1, 2, 3, 4]);
  stopping.abort();
  await browser.clock.advance(500);
  assert.doesNotMatch(browser.stream.url, /log=1/);
});

test("a tab that was put away gets the lines that it has missed when it comes back", async () => {
  const { browser, tabs } = await liveTabs({ isSecure: true }, 2);
  const [holder, other] = tabs;
  assert(holder && other);
  await send(browser, "snapshot", withLog(1), "e-2");
  /** @type {number[]} */
  const shown = [];
  for (const { tracker } of tabs) {
    tracker.followLog(({ lines }) => void (tracker === other.tracker && shown.push(...lines.map(({ n }) => n))));
    await settled();
    browser.requests.at(-1)?.answer(answerOf(event(1, 2)));
  }
  await browser.clock.advance(500);
  browser.stream.open();
  await send(browser, "heartbeat", heartbeat());
  assert.deepEqual(shown, [1, 2]);
  await other.tab.dispatch("pagehide");
  await send(browser, "log", event(3, 3));
  await other.tab.dispatch("pageshow", { persisted: true });
  for (const request of browser.requests.filter(({ isOpen }) => isOpen)) {
    request.answer(request.url.includes("/log?") ? answerOf(event(3, 3)) : status(304));
  }
  await browser.clock.advance(100);
  assert.deepEqual(shown, [1, 2, 3]);
});

test("a tracker that is stopped asks for no more lines until it is started again", async () => {
  const page = await livePage();
  page.stream.send("snapshot", withLog(1), "e-2");
  /** @type {number[]} */
  const shown = [];
  page.tracker.followLog(({ lines }) => void shown.push(...lines.map(({ n }) => n)));
  await page.answer(status(503));
  page.tracker.stop();
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  void page.tracker.start();
  page.stream.send("snapshot", withLog(1), "e-2");
  page.tracker.stop();
  await settled();
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  void page.tracker.start();
  page.stream.send("snapshot", withLog(1), "e-2");
  await page.answer(answerOf(event(1, 2)));
  assert.deepEqual(shown, [1, 2]);
});
