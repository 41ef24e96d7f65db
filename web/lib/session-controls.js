import { focusedIn, make } from "./dom.js";
import { FailureReport } from "./failure-report.js";
import { Later } from "./later.js";
import { canAsk } from "./requests.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").ProgressTracker} ProgressTracker */
/** @typedef {import("./wire.js").SessionRequest} SessionRequest */
/** @typedef {import("./request-row.js").RequestRow} RequestRow */
/** @typedef {import("./session-requests.js").SessionRequests} SessionRequests */

/**
 * @typedef {object} ControlOptions
 * @property {(text: string) => void} announce
 * @property {() => string} jobName
 * @property {() => (() => void) | null} retry How the embedding page retries, if it does.
 * @property {() => void} onChange Something is to be drawn.
 * @property {() => void} onFocusLost What had the focus has gone, and nothing is said in its place.
 */

/** Cancel and Retry, what became of the newest request, and the report of a failure. */
export class SessionControls {
  elements;
  #element = make("div", "request");
  #failure;
  /** Of a session whose worker takes requests. @type {Later<{requests: SessionRequests, row: RequestRow}>} */
  #asking = new Later(
    () => this.#loadAsking(),
    () => this.#options.onChange(),
  );
  /** @type {ProgressTracker | null} */
  #tracker = null;
  #signal = new AbortController().signal;
  #language;
  #options;
  /** Why a request was not made, as it was announced last. @type {SessionRequests["failure"]} */
  #announced = null;

  /** @param {Language} language @param {ControlOptions} options */
  constructor(language, options) {
    this.#language = language;
    this.#options = options;
    this.#element.hidden = true;
    this.#failure = new FailureReport(language, { announce: options.announce, onRetry: () => this.#onRetry() });
    this.elements = /** @type {const} */ ([this.#element, this.#failure.element]);
  }

  async #loadAsking() {
    const { RequestRow, SessionRequests } = await import("./asking.js");
    const requests = new SessionRequests(this.#options.onChange);
    if (this.#tracker) requests.start(this.#tracker, this.#signal);
    const row = new RequestRow(this.#language, this.#element, requests, this.#options.jobName);
    return { requests, row };
  }

  get #requests() {
    return this.#asking.part?.requests;
  }

  /** @param {ProgressTracker} tracker @param {AbortSignal} signal Stops them. */
  start(tracker, signal) {
    this.#tracker = tracker;
    this.#signal = signal;
    this.#requests?.start(tracker, signal);
    signal.addEventListener("abort", () => this.#asking.part?.row.close());
  }

  /** The server answers again, and perhaps grants more than before. */
  onConnected() {
    this.#requests?.forgetRight();
  }

  /** Whether this reader has made the request. @param {SessionRequest | null} request */
  isOwn(request) {
    return this.#requests?.isOwn(request) ?? false;
  }

  /** @param {Progress} data */
  show(data) {
    if (data.accepts?.length || data.requests?.length) void this.#asking.need();
    const { requests, row } = this.#asking.part ?? {};
    requests?.update(data);
    const [focused] = this.elements.flatMap((element) => focusedIn(element) ?? []);
    row?.show(data);
    this.#announceFailure();
    this.#failure.show(data, { canRetry: this.#canRetry(data), isSending: Boolean(requests?.sending) });
    // What was pressed or said, and goes, leaves the focus to what is said in its place.
    if (!focused?.matches(".cancel, .retry, .request-text") || !focused.closest("[hidden]")) return;
    if (!row?.focus()) this.#options.onFocusLost();
  }

  /** The state of a request is told by the session's data, and a request that was not made is not in there. */
  #announceFailure() {
    const failure = this.#requests?.failure ?? null;
    if (failure && failure !== this.#announced) this.#options.announce(this.#language.text(failure));
    this.#announced = failure;
  }

  /** @param {Progress} data */
  #canRetry(data) {
    return this.#options.retry() !== null || (this.#requests?.isAllowed === true && canAsk("retry", data));
  }

  /** The embedding page retries in its own way, where it has one. */
  #onRetry() {
    const retry = this.#options.retry();
    if (retry) retry();
    else void this.#requests?.ask("retry");
  }
}
