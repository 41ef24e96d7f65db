/* The tracker with a real EventSource follows the vectors of readers, which checks the fakes, too. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import test from "node:test";

import { EventSource } from "eventsource";

import { ProgressTracker } from "../lib/index.js";

const READERS = JSON.parse(readFileSync(new URL("../../tests/corpus/readers.json", import.meta.url), "utf8"));

for (const { name, session_id, path, streams, poll, session } of READERS) {
  test(`a tracker reads: ${name}`, async (t) => {
    /** @type {{path: string, last_event_id: string, at: number}[]} */
    const asked = [];
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://localhost");
      if (!url.pathname.endsWith("/events")) {
        response.writeHead(poll.status, { "Content-Type": "application/json" });
        return void response.end(JSON.stringify(poll.session ?? { success: false }));
      }
      const last = url.searchParams.get("last_event_id") ?? request.headers["last-event-id"];
      asked.push({
        path: url.pathname.slice(0, -"/events".length),
        last_event_id: `${last ?? ""}`,
        at: performance.now(),
      });
      const { status, stream } = streams[asked.length - 1] ?? { status: 500 };
      response.writeHead(status, { "Content-Type": "text/event-stream" });
      response.end(stream);
    }).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

    const tracker = new ProgressTracker(session_id, { baseUrl: `http://127.0.0.1:${port}`, EventSource });
    const ended = new Promise((resolve) => {
      tracker.addEventListener(
        "statechange",
        () => void (["finished", "denied"].includes(tracker.state) && resolve(0)),
      );
    });
    void tracker.start();
    await ended;
    assert.deepEqual(tracker.data ?? null, session);
    assert.equal(asked.length, streams.length);
    let before = 0;
    for (const [index, each] of asked.entries()) {
      const { last_event_id, after_ms = 0 } = streams[index];
      assert.deepEqual([each.path, each.last_event_id], [path, last_event_id]);
      assert.ok(each.at - before >= after_ms);
      before = each.at;
    }
    // A stream left open would keep the server from closing.
    server.close();
    await once(server, "close");
  });
}
