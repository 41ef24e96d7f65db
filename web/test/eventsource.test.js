/* The tracker with a real EventSource and a real server, to check the fakes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";

import { EventSource } from "eventsource";

import { ProgressTracker } from "../lib/index.js";
import { progress, stepEvent } from "./fakes.js";

/** @param {string} type @param {unknown} data @param {string} id */
const frame = (type, data, id) => `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;

// Shows P-8.7, P-8.8.
test("a tracker resumes after an interruption and a refusal, and closes its stream at the end", async (t) => {
  /** The position from which each connection asked to resume. @type {(string | undefined)[]} */
  const positions = [];
  const server = createServer((request, response) => {
    if (!request.url?.includes("/events?")) return void response.writeHead(502).end();
    const position = new URL(request.url ?? "", "http://localhost").searchParams.get("last_event_id");
    positions.push(position ?? request.headers["last-event-id"]?.toString());
    if (positions.length === 2) return void response.writeHead(502).end("<html>deploying</html>");
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    if (positions.length === 1) return void response.end(`retry: 10\n${frame("snapshot", progress(1), "e-1")}`);
    response.write(frame("step", stepEvent(2), "e-2") + frame("step", stepEvent(3), "e-3"));
    response.write(frame("end", { session_ids: ["job"] }, "e-3"));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

  /** @type {number[]} */
  const updates = [];
  const completed = new Promise((resolve) => {
    const tracker = new ProgressTracker("job", {
      baseUrl: `http://127.0.0.1:${port}`,
      EventSource,
      onUpdate: (data) => updates.push(data.current_step),
      onComplete: resolve,
    });
    void tracker.start();
  });
  assert.deepEqual(await completed, progress(3));
  assert.deepEqual(positions, [undefined, "e-1", "e-1"]);
  assert.deepEqual([...new Set(updates)], [1, 2, 3]);
  // A stream left open would keep the server from closing.
  server.close();
  await once(server, "close");
});
