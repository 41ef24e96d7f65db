/* Polls, and when they begin and end. */
import assert from "node:assert/strict";
import test, { afterEach, mock } from "node:test";

import {
  interruptThrice,
  jitter,
  ok,
  Page,
  pageWithFailedStream,
  progress,
  settled,
  status,
  stepEvent,
} from "./fakes.js";

afterEach(() => mock.restoreAll());

const heartbeat = { now: "2026-01-01T00:00:00.000000+00:00", interval_ms: 15_000 };

/** A page that polls and has `progress(1)`. @param {import("../lib/wire.js").TrackerOptions} [options] */
async function pollingPage(options) {
  jitter(0.5);
  const page = new Page({ transport: "poll", ...options });
  void page.tracker.start();
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  return page;
}

for (const [what, options] of /** @type {[string, object][]} */ ([
  ["transport poll", { transport: "poll" }],
  ["no EventSource", { EventSource: null }],
])) {
  test(`with ${what}, a tracker polls at once, and then at each interval`, async () => {
    const page = await pollingPage({ interval: 500, ...options });
    assert.deepEqual([page.streams.length, page.requests.length], [0, 1]);
    assert.equal(page.requests[0]?.url, "/api/progress/job");
    assert.deepEqual(page.states, ["connecting", "polling"]);
    await page.clock.advance(499);
    assert.equal(page.requests.length, 1);
    await page.clock.advance(1);
    assert.equal(page.requests.length, 2);
  });
}

for (const [random, delay_ms] of /** @type {const} */ ([
  [0, 1800],
  [0.5, 2000],
  [0.999999, 2200],
])) {
  test(`polls have a jitter of a tenth of the interval (${delay_ms})`, async () => {
    const page = await pollingPage();
    jitter(random);
    await page.clock.advance(2000);
    await page.answer(status(304));
    await page.clock.advance(delay_ms - 1);
    assert.equal(page.requests.length, 2);
    await page.clock.advance(1);
    assert.equal(page.requests.length, 3);
  });
}

test("transport sse without an EventSource throws", () => {
  assert.throws(() => new Page({ transport: "sse", EventSource: null }), TypeError);
});

test("with transport sse, a tracker never polls", async () => {
  const page = new Page({ transport: "sse" });
  void page.tracker.start();
  await interruptThrice(page);
  await page.clock.advance(10_000);
  assert.equal(page.requests.length, 0);
});

test("polls send the known ETag, and a 304 is no update", async () => {
  const page = await pollingPage({ interval: 1000 });
  assert.equal(page.requests[0]?.init.headers["If-None-Match"], undefined);
  await page.clock.advance(1000);
  assert.equal(page.requests[1]?.init.headers["If-None-Match"], '"1"');
  const updates = page.updates.length;
  await page.answer(status(304));
  assert.equal(page.updates.length, updates);
  assert.equal(page.tracker.state, "polling");
});

test("after an event, a poll sends no ETag, which would be of an older state", async () => {
  const page = await pageWithFailedStream();
  await page.answer(ok(progress(1), { ETag: '"1"' }));
  page.stream.send("step", stepEvent(2), "e-2");
  await interruptThrice(page);
  assert.equal(page.requests.length, 2);
  assert.equal(page.requests[1]?.init.headers["If-None-Match"], undefined);
});

for (const [what, header, delay_ms] of /** @type {[string, () => string, number][]} */ ([
  ["seconds", () => "7", 7000],
  ["a date", () => new Date(Date.now() + 60_000).toUTCString(), 60_000],
  ["less than the interval", () => "1", 2000],
  ["for five minutes at most", () => "99999999", 300_000],
  ["nonsense", () => "soon", 2000],
])) {
  test(`polls obey Retry-After: ${what}`, async () => {
    const page = await pollingPage();
    await page.clock.advance(2000);
    await page.answer(status(503, { "Retry-After": header() }));
    const requests = page.requests.length;
    await page.clock.advance(delay_ms * 0.9);
    assert.equal(page.requests.length, requests);
    await page.clock.advance(delay_ms * 0.1);
    assert.equal(page.requests.length, requests + 1);
  });
}

for (const [what, answer] of /** @type {[string, () => Response | Error][]} */ ([
  ["no connection", () => new TypeError("Failed to fetch")],
  ["503", () => status(503)],
  ["404", () => status(404)],
  ["a captive portal's page", () => new Response("<html>", { headers: { "Content-Type": "text/html" } })],
  ["some other JSON", () => Response.json({ detail: "sign in" })],
  ["null", () => Response.json(null)],
])) {
  test(`a poll that gets ${what} is repeated, and does not call onError`, async () => {
    const page = await pollingPage();
    await page.clock.advance(2000);
    await page.answer(answer());
    assert.equal(page.tracker.state, "reconnecting");
    await page.clock.advance(2000);
    await page.answer(ok(progress(2)));
    assert.equal(page.tracker.state, "polling");
    assert.deepEqual(page.updates.at(-1), progress(2));
    assert.equal(page.errors.length, 0);
  });
}

test("a hanging poll is aborted after five seconds, and later ones after up to thirty", async () => {
  const page = await pollingPage();
  for (const [index, deadline_ms] of [5000, 10_000, 20_000, 30_000, 30_000].entries()) {
    await page.clock.advance(2200);
    assert.equal(page.requests.length, index + 2);
    await page.clock.advance(deadline_ms - 2200);
    assert.equal(page.requests.at(-1)?.isOpen, true);
    await page.clock.advance(2200);
    assert.equal(page.requests[index + 1]?.isOpen, false);
    assert.equal(page.tracker.state, "reconnecting");
  }
});

test("a poll aborted by an event does not count as hanging", async () => {
  const page = await pageWithFailedStream();
  for (let outage = 0; outage < 3; outage += 1) {
    page.stream.send("heartbeat", heartbeat);
    await settled();
    await interruptThrice(page);
  }
  assert.equal(page.requests.length, 4);
  await page.clock.advance(5000);
  assert.equal(page.requests[3]?.isOpen, false);
});

test("the stream keeps trying to connect while the tracker polls", async () => {
  const page = await pageWithFailedStream();
  await page.answer(ok(progress(1)));
  assert.equal(page.tracker.state, "polling");
  await page.clock.advance(1000);
  page.stream.interrupt();
  assert.equal(page.tracker.state, "polling");
  assert.notEqual(page.stream.readyState, 2);
});

test("the first event ends the polling, even a heartbeat", async () => {
  const page = await pageWithFailedStream();
  const [request] = page.requests;
  page.stream.send("heartbeat", heartbeat);
  assert.equal(page.tracker.state, "live");
  assert.ok(request?.init.signal.aborted);
  for (let beat = 0; beat < 4; beat += 1) {
    await page.clock.advance(10_000);
    page.stream.send("heartbeat", heartbeat);
  }
  assert.equal(page.requests.length, 1);
  assert.equal(page.tracker.state, "live");
});

test("of two polls, the later one's answer counts", async () => {
  const page = await pollingPage();
  const first = page.tracker.poll();
  const second = page.tracker.poll();
  page.requests[2]?.answer(ok(progress(2)));
  await second;
  page.requests[1]?.answer(ok(progress(1)));
  await first;
  assert.deepEqual(page.updates.at(-1), progress(2));
});

test("credentials are sent to another origin only with the option", async () => {
  for (const [withCredentials, credentials] of /** @type {const} */ ([
    [false, "same-origin"],
    [true, "include"],
  ])) {
    const page = await pollingPage({ withCredentials });
    assert.equal(page.requests[0]?.init.credentials, credentials);
    const streaming = new Page({ withCredentials });
    void streaming.tracker.start();
    assert.equal(streaming.stream.withCredentials, withCredentials);
  }
});

test("without a stream, the server's clock is estimated from polls", async () => {
  const page = await pollingPage();
  const ahead_ms = 2 * 3_600_000;
  await page.clock.advance(2000);
  await page.answer(ok(progress(2), { Date: new Date(Date.now() + ahead_ms).toUTCString() }));
  assert.ok(Math.abs(page.tracker.now() - Date.now() - ahead_ms) < 60_000);
});

test("polls that fail at once after a hanging one keep their interval", async () => {
  const page = await pollingPage();
  await page.clock.advance(2200);
  await page.clock.advance(5000);
  for (let failed = 0; failed < 3; failed += 1) {
    await page.clock.advance(2200);
    assert.equal(page.requests.length, failed + 3);
    await page.answer(new TypeError("refused"));
    await page.clock.advance(1000);
    assert.equal(page.requests.length, failed + 3);
  }
});

test("poll() obeys Retry-After, also after the end", async () => {
  const page = new Page({ transport: "poll" });
  void page.tracker.start();
  await page.answer(ok(progress(3)));
  assert.equal(page.tracker.state, "finished");
  void page.tracker.poll();
  await page.answer(status(429, { "Retry-After": "30" }));
  await page.tracker.poll();
  assert.equal(page.requests.length, 2);
  await page.clock.advance(30_000);
  void page.tracker.poll();
  assert.equal(page.requests.length, 3);
  await page.answer(ok(progress(1)));
  assert.equal(page.updates.at(-1)?.current_step, 1);
});
