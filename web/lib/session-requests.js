/*
 * Asks a session's worker for this reader, as far as the server lets it. Draws nothing.
 */

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").ProgressTracker} ProgressTracker */
/** @typedef {import("./wire.js").RequestKind} RequestKind */

export class SessionRequests {
  /** The kind of request that is on its way. @type {RequestKind | null} */
  sending = null;
  /** Why the last one was not made, until the session's status changes. @type {"request_denied" | "request_unanswered" | null} */
  failure = null;
  /** Null: not known yet. @type {boolean | null} */
  isAllowed = null;
  #isChecking = false;
  /** Of the session. @type {Progress["status"] | null} */
  #status = null;
  /** The ids of this reader's requests. @type {Set<string>} */
  #own = new Set();
  #onChange;
  /** @type {ProgressTracker | null} */
  #tracker = null;
  #signal = new AbortController().signal;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {ProgressTracker} tracker @param {AbortSignal} signal Stops it. */
  start(tracker, signal) {
    this.#tracker = tracker;
    this.#signal = signal;
    this.sending = null;
    this.failure = null;
    this.isAllowed = null;
    this.#isChecking = false;
  }

  /** The server may answer otherwise now. */
  forgetRight() {
    if (this.isAllowed === false) this.isAllowed = null;
  }

  /** @param {Progress} data Of the session, as it is to be drawn. */
  update({ accepts = [], status }) {
    if (status !== this.#status) this.failure = null;
    this.#status = status;
    if (this.isAllowed === null && !this.#isChecking && accepts.length) void this.#checkRight();
  }

  async #checkRight() {
    this.#isChecking = true;
    const signal = this.#signal;
    const isAllowed = await this.#tracker?.mayRequest({ signal }).catch(() => false);
    if (signal.aborted) return;
    this.#isChecking = false;
    this.isAllowed = isAllowed ?? false;
    this.#onChange();
  }

  /** @param {RequestKind} kind */
  async ask(kind) {
    const tracker = this.#tracker;
    if (!tracker || this.sending) return;
    const signal = this.#signal;
    this.sending = kind;
    this.failure = null;
    this.#onChange();
    const failure = await this.#send(tracker, kind, signal);
    if (signal.aborted) return;
    this.sending = null;
    this.failure = failure;
    this.#onChange();
  }

  /** @param {ProgressTracker} tracker @param {RequestKind} kind @param {AbortSignal} signal */
  async #send(tracker, kind, signal) {
    try {
      const { id } = await tracker.request(kind, { signal });
      this.#own.add(id);
      if (!tracker.data?.requests?.some((request) => request.id === id)) await tracker.poll();
      return null;
    } catch (error) {
      const { status } = /** @type {import("./wire.js").RequestError} */ (error);
      // Whether the session has ended meanwhile, or takes no requests any more, its data says.
      if (status === 409) return tracker.poll().then(() => null);
      if (status !== 401 && status !== 403) return "request_unanswered";
      this.isAllowed = false;
      return "request_denied";
    }
  }

  /** @param {import("./wire.js").SessionRequest | null} request */
  isOwn(request) {
    return request !== null && this.#own.has(request.id);
  }
}
