/* What a list asks of the server, and when. */
import assert from "node:assert/strict";
import test from "node:test";
import { NO_FILTER } from "../lib/list-filter.js";
import { ListSource } from "../lib/list-source.js";
import { fetchInto } from "./fakes/fetch.js";
import { listed } from "./fakes/listed.js";
import { FakeEventSource, ManualClock, settled } from "./fakes.js";

/** @typedef {import("../lib/list-filter.js").Filter} Filter */

/** A list whose surroundings are fakes. @param {Partial<Filter>} [fixed] */
function source(fixed = {}) {
  /** @type {FakeEventSource[]} */
  const streams = [];
  /** @type {string[]} */
  const lists = [];
  /** @type {string[]} */
  const states = [];
  class EventSource extends FakeEventSource {
    /** @param {string} url @param {{withCredentials: boolean}} init */
    constructor(url, init) {
      super(url, init);
      streams.push(this);
    }
  }
  const fetch = /** @type {typeof globalThis.fetch} */ (fetchInto([]));
  const shown = new ListSource({
    fixed: { ...NO_FILTER, ...fixed },
    tracker: { EventSource, fetch, timers: new ManualClock() },
    onList: ({ sessions }) => void lists.push(sessions.map(({ session_id }) => session_id).join()),
    onState: (state) => void states.push(state),
  });
  /** The queries of the streams that are open. */
  const open = () =>
    streams.filter(({ readyState }) => readyState !== 2).map(({ url }) => url.replace(/^.*\?(.*)&heartbeat.*$/, "$1"));
  /** @param {Partial<Filter>} filter */
  const follow = async (filter) => {
    shown.follow({ ...NO_FILTER, ...filter });
    await settled();
  };
  /** The server sends a list on the newest stream. @param {number[]} ages @param {boolean} [more] */
  const send = async (ages, more = false) => {
    streams.at(-1)?.send("list", { sessions: ages.map((age) => listed(age)), more });
    await settled();
  };
  return { shown, follow, send, open, lists, states };
}

test("the page chooses by status while the list has all sessions, and always by text", async () => {
  const { follow, send, open, states } = source();
  await follow({});
  await send([1, 2]);
  await follow({ statuses: ["failed"], text: "import" });
  assert.deepEqual(open(), ["prefix="]);
  assert.deepEqual(states, ["connecting", "live"]);
});

test("the server chooses by status where it has more sessions, at once", async () => {
  const { shown, follow, send, open, lists } = source();
  await follow({});
  await send([1, 2], true);
  await follow({ statuses: ["stalled", "failed"] });
  assert.deepEqual(open(), ["prefix=&status=failed&status=stalled"]);
  assert.ok(shown.isWaiting);
  assert.deepEqual(shown.asked, ["stalled", "failed"]);
  await send([7]);
  assert.ok(!shown.isWaiting);
  assert.equal(lists.at(-1), "s7");
  await follow({ statuses: ["completed"] });
  assert.deepEqual(open(), ["prefix=&status=completed"]);
  await follow({});
  assert.deepEqual(open(), ["prefix="]);
  assert.deepEqual(shown.asked, []);
});

test("a list that turns out to be longer is asked for by its status then", async () => {
  const { shown, follow, send, open, lists } = source();
  await follow({ statuses: ["running"] });
  assert.deepEqual(open(), ["prefix="]);
  await send([1], true);
  assert.deepEqual(open(), ["prefix=&status=running"]);
  assert.deepEqual(lists, ["s1"], "it is shown until the other one comes");
  assert.ok(shown.isWaiting);
});

test("prefix and labels are the server's, together with what is fixed", async () => {
  const { shown, follow, send, open, lists, states } = source({
    prefix: "a",
    labels: { team: "x" },
    statuses: ["running"],
  });
  await follow({ statuses: ["error"] });
  assert.deepEqual(open(), ["prefix=a&label=team%3Ax&status=running"]);
  await send([1], true);
  await follow({ prefix: "ab", labels: { env: "y" } });
  assert.deepEqual(open(), ["prefix=ab&label=env%3Ay&label=team%3Ax&status=running"]);
  shown.stop();
  assert.deepEqual(open(), []);
  assert.deepEqual([lists, states], [["s1"], ["connecting", "live", "connecting"]]);
});
