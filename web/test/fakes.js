/* A clock, an EventSource and a fetch that do what the test says, and only then. */
import { mock } from "node:test";

import { ProgressTracker } from "../index.js";

/** @typedef {import("../wire.js").Progress} Progress */
/** @typedef {import("../wire.js").TrackerOptions} TrackerOptions */

/** Lets everything run that waits for nothing but its turn. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class ManualClock {
  now_ms = 0;
  /** @type {Set<{due_ms: number, action: () => void}>} */
  timers = new Set();

  /** @param {() => void} action @param {number} delay_ms */
  setTimeout(action, delay_ms) {
    const timer = { due_ms: this.now_ms + delay_ms, action };
    this.timers.add(timer);
    return timer;
  }

  /** @param {any} timer */
  clearTimeout(timer) {
    this.timers.delete(timer);
  }

  /** Lets time pass; each timer rings in its turn. @param {number} ms */
  async advance(ms) {
    const until_ms = this.now_ms + ms;
    await settled();
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.due_ms <= until_ms).sort((a, b) => a.due_ms - b.due_ms);
      if (!next) break;
      this.timers.delete(next);
      this.now_ms = next.due_ms;
      next.action();
      await settled();
    }
    this.now_ms = until_ms;
  }
}

export class FakeEventSource extends EventTarget {
  readyState = 0;
  lastEventId = "";

  /** @param {string} url @param {{withCredentials: boolean}} init */
  constructor(url, init) {
    super();
    this.url = url;
    this.withCredentials = init.withCredentials;
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {string} type @param {unknown} data @param {string} [id] */
  send(type, data, id) {
    this.readyState = 1;
    this.lastEventId = id ?? this.lastEventId;
    this.dispatchEvent(
      new MessageEvent(type, { data: typeof data === "string" ? data : JSON.stringify(data), lastEventId: this.lastEventId }),
    );
  }

  /** As after a lost connection: the browser will try again by itself. */
  interrupt() {
    this.readyState = 0;
    this.dispatchEvent(new Event("error"));
  }

  /** As after any answer but 200. */
  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }

  close() {
    this.readyState = 2;
  }
}

/** @typedef {{url: string, init: any, isOpen: boolean, answer: (response: Response | Error) => void}} Request */

/** One page: a tracker with everything around it replaced. */
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
    this.tracker = new ProgressTracker("job", {
      onUpdate: (data) => void this.updates.push(data),
      onComplete: (data) => void this.completions.push(data),
      onError: (data) => void this.errors.push(data),
      EventSource,
      fetch: /** @type {typeof fetch} */ ((url, init) => this.#fetch(String(url), init)),
      timers: this.clock,
      ...options,
    });
    this.tracker.addEventListener("statechange", () => void this.states.push(this.tracker.state));
  }

  /** @param {string} url @param {any} init @returns {Promise<Response>} */
  #fetch(url, init) {
    return new Promise((resolve, reject) => {
      /** @type {Request} */
      const request = {
        url,
        init,
        isOpen: true,
        answer: (response) => {
          request.isOpen = false;
          if (response instanceof Error) reject(response);
          else resolve(response);
        },
      };
      init.signal.addEventListener("abort", () => request.answer(init.signal.reason));
      this.requests.push(request);
    });
  }

  /** The stream opened last. */
  get stream() {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("no stream was opened");
    return stream;
  }

  /** Answers the request made last. @param {Response | Error} response */
  async answer(response) {
    const request = this.requests.at(-1);
    if (!request) throw new Error("nothing was asked");
    request.answer(response);
    await settled();
  }

  /** What is left when nothing should be. */
  get leftovers() {
    return {
      timers: this.clock.timers.size,
      streams: this.streams.filter((stream) => stream.readyState !== 2).length,
      requests: this.requests.filter((request) => request.isOpen).length,
    };
  }
}

/**
 * A polling answer of three steps of which the first ones are done.
 * @param {number} done
 * @param {Partial<Progress>} [changes]
 * @returns {Progress}
 */
export function progress(done, changes = {}) {
  const steps = [1, 2, 3].map((step) => (step <= done ? doneStep(step) : pendingStep(step)));
  return {
    session_id: "job",
    current_step: done,
    total_steps: 3,
    status: done === 3 ? "completed" : "running",
    steps,
    percentage: Math.floor((100 * done) / 3),
    estimated_remaining_ms: 30_000 * (3 - done),
    ...changes,
  };
}

/** @param {number} step @returns {import("../wire.js").PendingStep} */
const pendingStep = (step) => ({ step, name: `STEP${step}`, status: "pending", elapsed_ms: 0, timeout_ms: 120_000 });

/** @param {number} step @returns {import("../wire.js").StartedStep} */
const doneStep = (step) => ({
  step,
  name: `STEP${step}`,
  status: "success",
  started_at: "2026-01-01T00:00:00.000001+00:00",
  completed_at: "2026-01-01T00:00:01.000001+00:00",
  elapsed_ms: 1000,
  timeout_ms: 120_000,
  message: "",
  error: "",
});

/**
 * The `step` event that leads to `progress(done)`.
 * @param {number} done
 * @param {Partial<import("../wire.js").SessionSummary>} [changes]
 * @returns {import("../wire.js").StepEvent}
 */
export function stepEvent(done, changes = {}) {
  const { steps: _, ...session } = progress(done);
  return { step: doneStep(done), session: { ...session, ...changes } };
}

export const notFound = progress(0, { total_steps: 0, status: "not_found", steps: [], estimated_remaining_ms: 0 });

/** @param {Progress} data @param {Record<string, string>} [headers] */
export const ok = (data, headers = {}) => Response.json(data, { headers });

/** @param {number} status @param {Record<string, string>} [headers] */
export const status = (status, headers = {}) => new Response(null, { status, headers });

/** Makes jitter predictable: 0 is the shortest delay, just under 1 the longest. @param {number} value */
export const jitter = (value) => mock.method(Math, "random", () => value);
