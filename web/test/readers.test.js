/* The tracker with a real EventSource follows the vectors of readers, which checks the fakes, too. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import test from "node:test";

import { EventSource } from "eventsource";

import { ProgressTracker } from "../lib/index.js";

const READERS = JSON.parse(readFileSync(new URL("../../tests/corpus/readers.json", import.meta.url), "utf8"));

for (const { name, session_id, path, streams, poll, session, token, by_link } of READERS) {
  test(`a tracker reads: ${name}`, async (t) => {
    /** @type {{path: string, last_event_id: string, at: number}[]} */
    const asked = [];
    /** The newest one, which opens one stream. */
    let ticket = "";
    const isOvertaken = "after_poll" in streams[0];
    const server = createServer(async (request, response) => {
      const url = new URL(request.url ?? "", "http://localhost");
      if (token) assert.ok(!`${request.url}`.includes(token));
      if (by_link) assert.ok(url.pathname.startsWith(path) && url.searchParams.get("link") === "1");
      if (!url.pathname.endsWith("/events")) {
        assert.equal(request.headers.authorization, token && `Bearer ${token}`);
        const isTicket = url.pathname === "/api/tickets";
        response.writeHead(isTicket ? 201 : poll.status, { "Content-Type": "application/json" });
        if (isTicket) ticket = `${performance.now()}`;
        const answer = isTicket ? { ticket, expires_in: 30 } : (poll.session ?? { success: false });
        const answerPoll = () => void response.end(JSON.stringify(answer));
        return isOvertaken ? void server.emit("polled", answerPoll) : answerPoll();
      }
      if (token && url.searchParams.get("ticket") !== ticket) return void response.writeHead(401).end();
      ticket = "";
      const last = request.headers["last-event-id"] || url.searchParams.get("last_event_id");
      asked.push({
        path: url.pathname.slice(0, -"/events".length),
        last_event_id: `${last ?? ""}`,
        at: performance.now(),
      });
      const { status, stream, after_poll } = streams[asked.length - 1] ?? { status: 500 };
      response.writeHead(status, { "Content-Type": "text/event-stream" });
      if (!isOvertaken) return void response.end(stream);
      const [polled, updated] = [once(server, "polled"), once(server, "updated")];
      const answered = tracker.poll();
      const [answerPoll] = await polled;
      response.write(stream);
      await updated;
      answerPoll();
      await answered;
      response.end(after_poll);
    }).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

    const tracker = new ProgressTracker(session_id, {
      baseUrl: `http://127.0.0.1:${port}`,
      EventSource,
      token,
      byLink: by_link,
      onUpdate: () => void server.emit("updated"),
    });
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
