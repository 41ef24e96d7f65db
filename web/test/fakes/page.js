import { ProgressTracker } from "../../lib/index.js";
import { FakeEventSource } from "./event-source.js";
import { fetchInto } from "./fetch.js";
import { ManualClock, settled } from "./manual-clock.js";

/** @typedef {import("../../lib/wire.js").Progress} Progress */
/** @typedef {import("../../lib/wire.js").TrackerOptions} TrackerOptions */
/** @typedef {import("./fetch.js").Request} Request */

/** A page with one tracker, whose surroundings are fakes. */
export class Page {
  clock = new ManualClock();
  /** @type {FakeEventSource[]} */
  streams = [];
  /** @type {Request[]} */
  requests = [];
  /** @type {Progress[]} */
  updates = [];
  /** @type {Progress[]} */
  completions = [];
  /** @type {Progress[]} */
  errors = [];
  /** @type {string[]} */
  states = [];

  /** @param {TrackerOptions} [options] */
  constructor(options = {}) {
    const page = this;
    class EventSource extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        page.streams.push(this);
      }
    }
    this.EventSource = EventSource;
    this.fetch = /** @type {typeof fetch} */ (fetchInto(this.requests));
    this.tracker = new ProgressTracker("job", {
      onUpdate: (data) => void this.updates.push(data),
      onComplete: (data) => void this.completions.push(data),
      onError: (data) => void this.errors.push(data),
      EventSource,
      fetch: this.fetch,
      timers: this.clock,
      ...options,
    });
    this.tracker.addEventListener("statechange", () => void this.states.push(this.tracker.state));
  }

  /** The newest stream. */
  get stream() {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("no stream was opened");
    return stream;
  }

  /** Answers the newest request. @param {Response | Error} response */
  async answer(response) {
    const request = this.requests.at(-1);
    if (!request) throw new Error("no request was sent");
    request.answer(response);
    await settled();
  }

  /** Counts what is still open; all are 0 after a clean stop. */
  get leftovers() {
    return {
      timers: this.clock.timers.size,
      streams: this.streams.filter((stream) => stream.readyState !== 2).length,
      requests: this.requests.filter((request) => request.isOpen).length,
    };
  }
}
