/* `session` events, which change what a session says besides its steps. */
import assert from "node:assert/strict";
import test from "node:test";

import { kinds, liveTabs, send, snapshot } from "./fakes/live-tabs.js";
import { livePage, ok, Page, progress, settled, stepEvent } from "./fakes.js";

/** @typedef {import("../lib/wire.js").SessionDetails} SessionDetails */

/** @param {SessionDetails} details @param {string} [session_id] */
function told(details, session_id = "job") {
  const { steps: _, ...session } = progress(1, { session_id, ...details });
  return { session };
}

test("a session event is an update, and what it lacks is gone", async () => {
  const page = await livePage();
  page.stream.send("session", told({ title: "Photos", open_ended: true }), "e-2");
  assert.deepEqual(page.updates.at(-1), progress(1, { title: "Photos", open_ended: true }));
  page.stream.send("session", told({ open_ended: true }), "e-3");
  assert.deepEqual(page.updates.at(-1), progress(1, { open_ended: true }));
  assert.deepEqual([page.streams.length, page.tracker.state], [1, "live"]);
});

test("a stream resumes from a session event", async () => {
  const page = await livePage();
  page.stream.send("session", told({ title: "Photos" }), "e-2");
  page.stream.refuse();
  await page.clock.advance(30_000);
  assert.match(page.stream.url, /&last_event_id=e-2$/);
});

test("a step event after a session event keeps what the session says", async () => {
  const page = await livePage();
  page.stream.send("session", told({ title: "Photos" }), "e-2");
  page.stream.send("step", stepEvent(2, { title: "Photos" }), "e-3");
  assert.equal(JSON.stringify(page.updates.at(-1)), JSON.stringify(progress(2, { title: "Photos" })));
});

test("a session event of a session without data restarts the stream", async () => {
  const page = new Page();
  void page.tracker.start();
  page.stream.open();
  page.stream.send("session", told({ title: "Photos" }), "e-2");
  await page.clock.advance(2000);
  assert.deepEqual([page.updates, page.streams.length], [[], 2]);
});

test("a polled session has the same keys", async () => {
  const page = new Page({ transport: "poll" });
  void page.tracker.start();
  const data = progress(1, { title: "Photos", links: [{ label: "Report", url: "/report" }], accepts: ["cancel"] });
  await page.answer(ok(data));
  assert.equal(JSON.stringify(page.updates.at(-1)), JSON.stringify(data));
});

test("a page may change the links and labels that it was given", async () => {
  const page = await livePage();
  const details = { labels: { team: "web" }, links: [{ label: "Report", url: "/report" }] };
  page.stream.send("session", told(details), "e-2");
  const [given] = page.updates.splice(-1);
  given?.links?.pop();
  delete given?.labels?.team;
  assert.deepEqual(page.tracker.data, progress(1, details));
});

for (const [name, kind] of kinds) {
  test(`all tabs get session events, each those of its session (${name})`, async () => {
    const { browser, tabs } = await liveTabs(kind, 2);
    const other = await browser.tab().track("other");
    await browser.clock.advance(500);
    await send(browser, "snapshot", progress(1), "m.1");
    await send(browser, "snapshot", snapshot("other", 1), "m.2");
    await send(browser, "session", told({ title: "Photos" }, "other"), "m.3");
    await settled();
    assert.deepEqual(
      [...tabs.map(({ tracker }) => tracker.data?.title), other.tracker.data?.title],
      [undefined, undefined, "Photos"],
    );
  });
}
