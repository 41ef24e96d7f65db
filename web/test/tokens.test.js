/* A tracker's token: polls send it in a header, streams as a ticket, and it goes nowhere else. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import { Browser, jitter, ok, Page, progress, settled, status, stepEvent } from "./fakes.js";

afterEach(() => mock.restoreAll());

/** @typedef {import("./fakes/fetch.js").Request} Request */

/** @param {object} claims */
const tokenOf = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;

const ALICE = tokenOf({ sub: "alice", sessions: ["job"], exp: 1000, iat: 400 });
const ALICE_LATER = tokenOf({ sessions: ["job"], sub: "alice", exp: 2000, iat: 1400 });
const BOB = tokenOf({ sub: "bøb", sessions: ["job"], exp: 1000, iat: 400 });

/** @param {Request} request */
const bearer = ({ init }) => init.headers.Authorization;

/** @param {string} ticket */
const ticketResponse = (ticket) => Response.json({ ticket, expires_in: 30 }, { status: 201 });

/** A token function that numbers its tokens from 1. */
function numberedTokens() {
  let number = 0;
  return mock.fn(() => `token-${++number}`);
}

/** A started page. @param {import("../lib/wire.js").TrackerOptions} options */
async function startedPage(options) {
  const page = new Page(options);
  void page.tracker.start();
  await settled();
  return page;
}

/** A page whose stream is live. @param {import("../lib/wire.js").TrackerOptions} options */
async function livePage(options) {
  const page = await startedPage(options);
  await page.answer(ticketResponse("first"));
  page.stream.open();
  page.stream.send("snapshot", progress(1), "e-1");
  return page;
}

// Shows P-15.1.
test("a stream's URL has a ticket, and not the token", async () => {
  const page = await livePage({ token: "secret", baseUrl: "/jobs" });
  assert.deepEqual(
    page.requests.map(({ url, init }) => [init.method, url]),
    [["POST", "/jobs/api/tickets"]],
  );
  assert.deepEqual(page.requests.map(bearer), ["Bearer secret"]);
  assert.equal(page.stream.url, "/jobs/api/progress/job/events?heartbeat=event&ticket=first");
  assert.deepEqual(page.states, ["connecting", "live"]);
});

// Shows P-15.1.
test("polls send the token in a header", async () => {
  const page = await startedPage({ token: "secret", transport: "poll" });
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  await page.clock.advance(3000);
  assert.deepEqual(page.requests.map(bearer), ["Bearer secret", "Bearer secret"]);
  assert.equal(page.requests[1]?.init.headers["If-None-Match"], '"1"');
});

test("a stream that reconnects with its used ticket gets another at once", async () => {
  const page = await livePage({ token: "secret", interval: Infinity });
  page.stream.interrupt();
  await page.clock.advance(3000);
  assert.equal(page.streams.length, 1, "the browser waits for as long as the server asked");
  page.stream.refuse();
  await settled();
  await page.answer(ticketResponse("second"));
  assert.match(page.stream.url, /&last_event_id=e-1&ticket=second$/);
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(page.updates, [progress(1), progress(2)]);
  assert.deepEqual(
    page.requests.map(({ url }) => url),
    ["/api/tickets", "/api/tickets"],
  );
  assert.deepEqual(page.states, ["connecting", "live", "reconnecting", "live"]);
});

test("a ticket that is used up within a second is not replaced at once", async () => {
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

test("a new ticket that is refused too is not replaced at once", async () => {
  jitter(0);
  const page = await livePage({ token: "secret" });
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.refuse();
  await settled();
  await page.answer(ticketResponse("second"));
  page.stream.refuse();
  await page.clock.advance(900);
  assert.equal(page.streams.length, 2);
  assert.equal(page.requests.filter(({ url }) => url === "/api/tickets").length, 2);
});

test("a function's token is used until it is refused, and then the function is called once", async () => {
  const token = numberedTokens();
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

// Shows P-8.9.
test("a 403 does not call the token function again", async () => {
  const token = numberedTokens();
  const page = await startedPage({ token, transport: "poll" });
  await page.answer(status(403));
  assert.deepEqual([page.tracker.state, token.mock.callCount()], ["denied", 1]);
});

test("an expired token is followed by the next, and the stream reopened", async () => {
  const token = numberedTokens();
  const page = await livePage({ token });
  page.stream.interrupt();
  await page.clock.advance(1000);
  page.stream.refuse();
  await settled();
  await page.answer(status(401));
  await page.answer(ticketResponse("second"));
  assert.deepEqual(page.requests.map(bearer), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
  page.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual([page.tracker.state, page.updates.length], ["live", 2]);
});

test("a token that has expired for good denies the tracker", async () => {
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

test("trackers of a page with one token share a stream, and call the token function once", async () => {
  const token = numberedTokens();
  const page = new Page({ token });
  const other = new Page({ token, EventSource: page.EventSource, fetch: page.fetch, timers: page.clock });
  other.tracker.sessionId = "other";
  void page.tracker.start();
  void other.tracker.start();
  await page.clock.advance(100);
  await page.answer(ticketResponse("first"));
  assert.match(page.stream.url, /session_id=job&session_id=other&.*ticket=first$/);
  assert.equal(token.mock.callCount(), 1);
  assert.deepEqual([page.states, other.states], [["connecting"], ["connecting"]], "neither polls");
});

test("a token function that fails is called again with the next poll", async () => {
  jitter(0.5);
  const answers = [Promise.reject(new Error("no network")), Promise.resolve("late")];
  const page = await startedPage({ token: () => answers.shift() ?? "", transport: "poll" });
  await page.clock.advance(5000);
  assert.deepEqual(page.requests.map(bearer), ["Bearer late"]);
});

test("a token function that fails before the stream is called again at once", async () => {
  const answers = [Promise.reject(new Error("no network")), Promise.resolve(ALICE)];
  const browser = new Browser();
  await browser.tab().track("job", { token: () => answers.shift() ?? "" });
  assert.deepEqual(browser.requests.map(bearer), [`Bearer ${ALICE}`]);
});

test("a token function that never resolves is given up, and called again", async () => {
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
  test(`the stream opens without a ticket if the server has none (${code})`, async () => {
    const page = await startedPage({ token: "secret" });
    await page.answer(status(code));
    assert.equal(page.stream.url, "/api/progress/job/events?heartbeat=event");
    page.stream.refuse();
    await settled();
    assert.equal(page.requests.at(-1)?.url, "/api/progress/job", "a poll shows why it is refused");
  });
}

test("while there is no ticket, the page polls and keeps trying", async () => {
  jitter(0);
  const page = await startedPage({ token: "secret" });
  await page.answer(Response.json({ success: false }, { status: 503 }));
  assert.equal(page.requests.at(-1)?.url, "/api/progress/job", "it has nothing to show yet");
  await page.answer(ok(progress(1)));
  assert.equal(page.tracker.state, "polling");
  await page.clock.advance(1000);
  assert.equal(page.requests.at(-1)?.url, "/api/tickets");
  await page.answer(ticketResponse("second"));
  page.stream.send("snapshot", progress(1), "e-1");
  assert.equal(page.tracker.state, "live");
});

test("a tracker stopped while it waits for its token sends no request", async () => {
  const page = new Page({ token: "secret" });
  void page.tracker.start();
  page.tracker.stop();
  await settled();
  assert.deepEqual([page.requests, page.streams], [[], []]);
});

test("a tracker stopped while it requests a ticket leaves nothing behind", async () => {
  const page = await startedPage({ token: "secret" });
  page.tracker.stop();
  await settled();
  assert.deepEqual(page.leftovers, { timers: 0, streams: 0, requests: 0 });
  assert.equal(page.streams.length, 0);
});

// Tabs

/** Answers every pending request for a ticket. @param {Browser} browser */
async function answerTicketRequests(browser) {
  for (const request of browser.requests) {
    if (request.isOpen && request.url.endsWith("/api/tickets"))
      request.answer(ticketResponse(`ticket-${browser.requests.length}`));
  }
  await settled();
}

/**
 * Tabs with a token each, after they have agreed on a holder.
 * @param {Browser} browser
 * @param {(string | undefined)[]} tokens
 */
async function tabsWith(browser, tokens) {
  const tabs = [];
  for (const token of tokens) {
    tabs.push(await browser.tab().track("job", token === undefined ? {} : { token }));
    await browser.clock.advance(500);
    await answerTicketRequests(browser);
  }
  return tabs;
}

for (const isSecure of [true, false]) {
  const name = isSecure ? "secure" : "insecure";

  test(`tabs whose tokens grant the same share one stream, even if the tokens differ in time (${name})`, async () => {
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

test("tabs with another token, or without one, do not get the events", async () => {
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
  const messages = [];
  const { structuredClone: clone } = globalThis;
  mock.method(globalThis, "structuredClone", (/** @type {unknown} */ message) => {
    messages.push(JSON.stringify(message));
    return clone(message);
  });
  await tabsWith(browser, [ALICE, ALICE_LATER]);
  browser.stream.send("snapshot", progress(1), "e-1");
  await settled();
  assert.ok(messages.length > 2);
  const names = [...browser.channels].map((channel) => channel.name);
  assert.doesNotMatch([...messages, ...names].join(), /signature|ticket|e30/);
});

test("a page from the back/forward cache resumes with a new ticket", async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const { steps } = await tab.track("job", { token: ALICE });
  await answerTicketRequests(browser);
  browser.stream.send("snapshot", progress(1), "e-1");
  await tab.dispatch("pagehide");
  assert.equal(browser.open.length, 0);
  await tab.dispatch("pageshow", { persisted: true });
  await browser.clock.advance(500);
  await answerTicketRequests(browser);
  assert.deepEqual(
    browser.requests.map(({ url }) => url),
    ["/api/tickets", "/api/progress/job", "/api/tickets"],
  );
  assert.match(browser.stream.url, /&last_event_id=e-1&ticket=ticket-3$/);
  browser.stream.send("step", stepEvent(2), "e-2");
  assert.deepEqual(steps, [1, 2]);
});

test("a tab whose token is not a JSON Web Token polls", async () => {
  const browser = new Browser();
  await tabsWith(browser, ["opaque"]);
  assert.deepEqual(
    browser.requests.map(({ url }) => url),
    ["/api/progress/job"],
  );
  assert.equal(browser.streams.length, 0);
});

test("with transport sse, a tab whose token is not a JSON Web Token has its own stream", async () => {
  const browser = new Browser();
  for (const tab of [browser.tab(), browser.tab()]) await tab.track("job", { token: "opaque", transport: "sse" });
  await answerTicketRequests(browser);
  assert.equal(browser.open.length, 2);
});

test("a tab whose tokens stop being JSON Web Tokens leaves the shared stream, and polls", async () => {
  const browser = new Browser();
  const tokens = [ALICE, "opaque"];
  const { tracker } = await browser.tab().track("job", { token: () => tokens.shift() ?? "opaque" });
  await answerTicketRequests(browser);
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

test("a tab whose tokens change their rights joins the tabs with those rights", async () => {
  const browser = new Browser();
  const tokens = [ALICE, BOB];
  const { steps } = await browser.tab().track("job", { token: () => tokens.shift() ?? BOB });
  await answerTicketRequests(browser);
  browser.stream.send("snapshot", progress(1), "e-1");
  browser.stream.interrupt();
  await browser.clock.advance(1000);
  browser.stream.refuse();
  await settled();
  browser.requests.at(-1)?.answer(status(401));
  await settled();
  browser.requests.at(-1)?.answer(ticketResponse("of another"));
  await settled();
  assert.equal(browser.open.length, 0, "no stream with the rights of another token");
  browser.requests.at(-1)?.answer(ok(progress(2)));
  await browser.clock.advance(500);
  await answerTicketRequests(browser);
  browser.stream.send("snapshot", progress(2), "e-2");
  await settled();
  assert.deepEqual(steps, [1, 2]);
});
