/* How a tracker brings its token: in a header with polls, as a ticket with streams, and nowhere else. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { Browser, jitter, ok, Page, progress, settled, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

/** @typedef {import("./fakes.js").Request} Request */

/** @param {object} claims */
const tokenOf = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;

const ALICE = tokenOf({ sub: "alice", sessions: ["job"], exp: 1000, iat: 400 });
const ALICE_LATER = tokenOf({ sessions: ["job"], sub: "alice", exp: 2000, iat: 1400 });
const BOB = tokenOf({ sub: "bøb", sessions: ["job"], exp: 1000, iat: 400 });

/** @param {Request} request */
const bearer = ({ init }) => init.headers.Authorization;

/** @param {string} ticket */
const sold = (ticket) => Response.json({ ticket, expires_in: 30 }, { status: 201 });

/** Tokens numbered from 1, as a function gives them. */
function giver() {
  let number = 0;
  return mock.fn(() => `token-${++number}`);
}

/** A started page. @param {import("./fakes.js").TrackerOptions} options */
async function startedPage(options) {
  const page = new Page(options);
  void page.tracker.start();
  await settled();
  return page;
}

/** A page whose stream is live. @param {import("./fakes.js").TrackerOptions} options */
async function livePage(options) {
  const page = await startedPage(options);
  await page.answer(sold("first"));
  page.stream.open();
  page.stream.send("snapshot", progress(1), "e-1");
  return page;
}

test("a stream has a ticket in its address, and the token is where addresses are not", async () => {
  const page = await livePage({ token: "secret", baseUrl: "/jobs" });
  assert.deepEqual(
    page.requests.map(({ url, init }) => [init.method, url]),
    [["POST", "/jobs/api/tickets"]],
  );
  assert.deepEqual(page.requests.map(bearer), ["Bearer secret"]);
  assert.equal(page.stream.url, "/jobs/api/progress/job/events?heartbeat=event&ticket=first");
  assert.deepEqual(page.states, ["connecting", "live"]);
});

test("polls send the token in their header", async () => {
  const page = await startedPage({ token: "secret", transport: "poll" });
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  await page.clock.advance(3000);
  assert.deepEqual(page.requests.map(bearer), ["Bearer secret", "Bearer secret"]);
  assert.equal(page.requests[1]?.init.headers["If-None-Match"], '"1"');
});

test("a browser that comes back with a ticket it has used is given another, at once", async () => {
  const page = await livePage({ token: "secret", interval: Infinity });
  page.stream.interrupt();
  await page.clock.advance(3000);
  assert.equal(page.streams.length, 1, "the browser waits for as long as the server asked");
  page.stream.refuse();
  await settled();
  await page.answer(sold("second"));
  assert.match(page.stream.url, /&last_event_id=e-1&ticket=second$/);
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates, [progress(1), progress(2)]);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/tickets", "/api/tickets"],
  );
  assert.deepEqual(page.states, ["connecting", "live", "reconnecting", "live"]);
});

test("a ticket that is spent within a second is not replaced at once", async () => {
  jitter(0);
  const page = await livePage({ token: "secret", interval: Infinity });
  page.stream.interrupt();
  page.stream.refuse();
  await page.clock.advance(999);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/tickets"],
  );
  await page.clock.advance(1);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/tickets", "/api/tickets"],
  );
});

test("a new ticket that is refused as well is not replaced at once", async () => {
  jitter(0);
  const page = await livePage({ token: "secret" });
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.refuse();
  await settled();
  await page.answer(sold("second"));
  page.stream.refuse();
  await page.clock.advance(900);
  assert.equal(page.streams.length, 2);
  assert.equal(page.requests.filter(({ url }) => url === "/api/tickets").length, 2);
});

test("a token from a function is used until it is refused, and then another is asked for, once", async () => {
  const token = giver();
  const page = await startedPage({ token, transport: "poll" });
  await page.answer(ok(progress(1)));
  await page.clock.advance(3000);
  assert.equal(token.mock.callCount(), 1);
  await page.answer(status(401));
  await page.answer(ok(progress(2)));
  assert.deepEqual(page.requests.map(bearer), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
  assert.deepEqual([page.tracker.state, page.updates.at(-1)], ["polling", progress(2)]);
  await page.clock.advance(3000);
  await page.answer(status(401));
  await page.answer(status(401));
  assert.deepEqual([page.tracker.state, token.mock.callCount()], ["denied", 3]);
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
});

test("who may not see the session is not asked for another token", async () => {
  const token = giver();
  const page = await startedPage({ token, transport: "poll" });
  await page.answer(status(403));
  assert.deepEqual([page.tracker.state, token.mock.callCount()], ["denied", 1]);
});

test("a token that ends is followed by the next, and the stream by another", async () => {
  const token = giver();
  const page = await livePage({ token });
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.refuse();
  await settled();
  await page.answer(status(401));
  await page.answer(sold("second"));
  assert.deepEqual(page.requests.map(bearer), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual([page.tracker.state, page.updates.length], ["live", 2]);
});

test("a token that has ended for good stops the tracker, which says so", async () => {
  const page = await livePage({ token: "secret" });
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.refuse();
  await settled();
  await page.answer(status(401));
  assert.equal(page.requests.at(-1)?.url, "/api/progress/job");
  await page.answer(status(401));
  assert.equal(page.tracker.state, "denied");
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
});

test("trackers of a page with one token have one stream, and ask for it once", async () => {
  const token = giver();
  const page = new Page({ token });
  const other = new Page({ token, EventSource: page.EventSource, fetch: page.fetch, timers: page.clock });
  other.tracker.sessionId = "other";
  void page.tracker.start();
  void other.tracker.start();
  await page.clock.advance(100);
  await page.answer(sold("first"));
  assert.match(page.stream.url, /session_id=job&session_id=other&.*ticket=first$/);
  assert.equal(token.mock.callCount(), 1);
  assert.deepEqual([page.states, other.states], [["connecting"], ["connecting"]], "neither was told to wait no longer");
});

test("a function that fails is asked again with the next poll", async () => {
  jitter(0.5);
  const answers = [Promise.reject(new Error("no network")), Promise.resolve("late")];
  const page = await startedPage({ token: () => answers.shift() ?? "", transport: "poll" });
  await page.clock.advance(5000);
  assert.deepEqual(page.requests.map(bearer), ["Bearer late"]);
});

test("a function that fails before there is a stream is asked again at once", async () => {
  const answers = [Promise.reject(new Error("no network")), Promise.resolve(ALICE)];
  const browser = new Browser();
  await browser.tab().track("job", { token: () => answers.shift() ?? "" });
  assert.deepEqual(browser.requests.map(bearer), [`Bearer ${ALICE}`]);
});

test("a function that never answers is given up, and asked again", async () => {
  jitter(0.5);
  const token = mock.fn(() => new Promise(() => {}));
  const page = await startedPage({ token, transport: "poll" });
  await page.clock.advance(5000 + 2000);
  assert.equal(token.mock.callCount(), 2);
  page.tracker.stop();
  await page.clock.advance(0);
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
});

for (const code of [403, 404, 405]) {
  test(`a server that has no tickets is asked for the stream without one (${code})`, async () => {
    const page = await startedPage({ token: "secret" });
    await page.answer(status(code));
    assert.equal(page.stream.url, "/api/progress/job/events?heartbeat=event");
    page.stream.refuse();
    await settled();
    assert.equal(page.requests.at(-1)?.url, "/api/progress/job", "and says by a poll why it is refused");
  });
}

test("while no ticket is to be had the page polls, and goes on trying", async () => {
  jitter(0);
  const page = await startedPage({ token: "secret" });
  await page.answer(Response.json({ success: false }, { status: 503 }));
  assert.equal(page.requests.at(-1)?.url, "/api/progress/job", "it has nothing to show yet");
  await page.answer(ok(progress(1)));
  assert.equal(page.tracker.state, "polling");
  await page.clock.advance(1000);
  assert.equal(page.requests.at(-1)?.url, "/api/tickets");
  await page.answer(sold("second"));
  page.stream.send("snapshot", progress(1), "e-1");
  assert.equal(page.tracker.state, "live");
});

test("stopped while it waits for its token, it asks for nothing", async () => {
  const page = new Page({ token: "secret" });
  void page.tracker.start();
  page.tracker.stop();
  await settled();
  assert.deepEqual([page.requests, page.streams], [[], []]);
});

test("stopped while it asks for a ticket, it leaves nothing behind", async () => {
  const page = await startedPage({ token: "secret" });
  page.tracker.stop();
  await settled();
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  assert.equal(page.streams.length, 0);
});

// Tabs

/** @param {Browser} browser Answers every request for a ticket that waits. */
async function sell(browser) {
  for (const request of browser.requests) {
    if (request.isOpen && request.url.endsWith("/api/tickets"))
      request.answer(sold(`ticket-${browser.requests.length}`));
  }
  await settled();
}

/** Tabs, each with a token, that have had time to agree. @param {Browser} browser @param {(string | undefined)[]} tokens */
async function tabsWith(browser, tokens) {
  const tabs = [];
  for (const token of tokens) {
    tabs.push(await browser.tab().track("job", token === undefined ? {} : { token }));
    await browser.clock.advance(500);
    await sell(browser);
  }
  return tabs;
}

for (const isSecure of [true, false]) {
  const name = isSecure ? "secure" : "insecure";

  test(`tabs whose tokens grant the same share one stream, whenever those were made (${name})`, async () => {
    const browser = new Browser({ isSecure });
    const tabs = await tabsWith(browser, [ALICE, ALICE_LATER]);
    browser.stream.send("snapshot", progress(1), "e-1");
    await settled();
    assert.deepEqual(
      tabs.map(({ steps }) => steps),
      [[1], [1]],
    );
  });
}

test("nobody hears what was asked for with another token, nor without one", async () => {
  const browser = new Browser({ isSecure: false });
  const tabs = await tabsWith(browser, [ALICE, BOB, undefined]);
  assert.equal(browser.open.length, 3);
  for (const [index, stream] of browser.open.entries()) {
    stream.send("snapshot", progress(index), `e-${index}`);
    await settled();
    assert.deepEqual(
      tabs.map(({ steps }) => steps),
      [0, 1, 2].map((tab) => (tab <= index ? [tab] : [])),
    );
  }
});

test("no token and no ticket leaves its tab", async () => {
  const browser = new Browser();
  /** @type {string[]} */
  const heard = [];
  const { structuredClone: clone } = globalThis;
  mock.method(globalThis, "structuredClone", (/** @type {unknown} */ message) => {
    heard.push(JSON.stringify(message));
    return clone(message);
  });
  await tabsWith(browser, [ALICE, ALICE_LATER]);
  browser.stream.send("snapshot", progress(1), "e-1");
  await settled();
  assert.ok(heard.length > 2);
  const names = [...browser.channels].map((channel) => channel.name);
  assert.doesNotMatch([...heard, ...names].join(), /signature|ticket|e30/);
});

test("a page that was put away comes back with another ticket, where it was", async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const { steps } = await tab.track("job", { token: ALICE });
  await sell(browser);
  browser.stream.send("snapshot", progress(1), "e-1");
  await tab.happen("pagehide");
  assert.equal(browser.open.length, 0);
  await tab.happen("pageshow", { persisted: true });
  await browser.clock.advance(500);
  await sell(browser);
  assert.deepEqual(
    browser.requests.map(({ url }) => url),
    ["/api/tickets", "/api/progress/job", "/api/tickets"],
  );
  assert.match(browser.stream.url, /&last_event_id=e-1&ticket=ticket-3$/);
  browser.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(steps, [1, 2]);
});

test("a token that nobody can read but the server is not compared: its tab polls", async () => {
  const browser = new Browser();
  await tabsWith(browser, ["opaque"]);
  assert.deepEqual(
    browser.requests.map(({ url }) => url),
    ["/api/progress/job"],
  );
  assert.equal(browser.streams.length, 0);
});

test("asked to stream all the same, its tab has a stream of its own", async () => {
  const browser = new Browser();
  for (const tab of [browser.tab(), browser.tab()]) await tab.track("job", { token: "opaque", transport: "sse" });
  await sell(browser);
  assert.equal(browser.open.length, 2);
});

test("a function whose tokens can be read no more leaves the stream of the others, and polls", async () => {
  const browser = new Browser();
  const tokens = [ALICE, "opaque"];
  const { tracker } = await browser.tab().track("job", { token: () => tokens.shift() ?? "opaque" });
  await sell(browser);
  browser.stream.send("snapshot", progress(1), "e-1");
  void tracker.poll();
  await settled();
  browser.requests.at(-1)?.answer(status(401));
  await settled();
  browser.requests.at(-1)?.answer(ok(progress(2)));
  await settled();
  assert.equal(browser.open.length, 0);
  assert.equal(browser.requests.at(-1)?.isOpen, true);
  browser.requests.at(-1)?.answer(ok(progress(2)));
  await settled();
  assert.equal(tracker.state, "polling");
});

test("a function whose tokens come to grant something else goes to those whose do", async () => {
  const browser = new Browser();
  const tokens = [ALICE, BOB];
  const { steps } = await browser.tab().track("job", { token: () => tokens.shift() ?? BOB });
  await sell(browser);
  browser.stream.send("snapshot", progress(1), "e-1");
  browser.stream.interrupt();
  await browser.clock.advance(1000);
  browser.stream.refuse();
  await settled();
  browser.requests.at(-1)?.answer(status(401));
  await settled();
  browser.requests.at(-1)?.answer(sold("of another"));
  await settled();
  assert.equal(browser.open.length, 0, "nobody follows as somebody else");
  browser.requests.at(-1)?.answer(ok(progress(2)));
  await browser.clock.advance(500);
  await sell(browser);
  browser.stream.send("snapshot", progress(2), "e-2");
  await settled();
  assert.deepEqual(steps, [1, 2]);
});
