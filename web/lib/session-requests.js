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
    const failure = await this.send(kind, { signal }).then(() => null, failureOf);
    if (signal.aborted) return;
    this.sending = null;
    this.failure = failure;
    this.#onChange();
  }

  /**
   * Resolves once the tracker shows the request. Rejects with a `RequestError`.
   * @param {RequestKind} kind
   * @param {import("./wire.js").RequestOptions} [options]
   */
  async send(kind, options) {
    const tracker = this.#tracker;
    if (!tracker) throw new Error("no session is followed");
    const following = this.#signal;
    try {
      const request = await tracker.request(kind, options);
      this.#own.add(request.id);
      const isShown = tracker.data?.requests?.some(({ id }) => id === request.id);
      if (!isShown && !following.aborted) await tracker.poll();
      return request;
    } catch (error) {
      if (following.aborted) throw error;
      const { status } = /** @type {import("./wire.js").RequestError} */ (error);
      // Whether the session has ended meanwhile, or takes no requests any more, its data says.
      if (status === 409) await tracker.poll();
      if (isDenial(status)) this.#deny();
      throw error;
    }
  }

  #deny() {
    this.isAllowed = false;
    this.#onChange();
  }

  /** @param {import("./wire.js").SessionRequest | null} request */
  isOwn(request) {
    return request !== null && this.#own.has(request.id);
  }
}

/** @param {number} status */
function isDenial(status) {
  return status === 401 || status === 403;
}

/** @param {import("./wire.js").RequestError} error */
function failureOf({ status }) {
  if (status === 409) return null;
  return isDenial(status) ? "request_denied" : "request_unanswered";
}
