/* What readers ask of a session's worker: pure functions of its data. No DOM. */
import { isStalled, runningSteps, startedAt } from "./steps.js";

/** @typedef {import("./headline.js").Sentence} Sentence */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").RequestKind} RequestKind */
/** @typedef {import("./wire.js").SessionRequest} SessionRequest */
/** @typedef {import("./texts.js").TextKey} TextKey */

/**
 * What a request looks like: `asked` waits for its worker, `seen` has reached it, `ended` came to nothing.
 * @typedef {Sentence & {look: "asked" | "seen" | "ended"}} RequestSentence
 */

/** Whether nothing happens any more, unless a step is started again. @param {Progress} data */
export function isOver(data) {
  return data.status === "completed" || (data.status === "error" && runningSteps(data).length === 0);
}

/** Whether the worker takes this request now, and has none of its kind yet. @param {RequestKind} kind @param {Progress} data */
export function canAsk(kind, data) {
  const { accepts = [], requests = [], status } = data;
  if (!accepts.includes(kind) || requests.some((request) => request.kind === kind && isOpen(request))) return false;
  return kind === "cancel" ? !isOver(data) && !isStopping(data) : status === "error" && isOver(data);
}

/** @param {SessionRequest} request */
function isOpen({ state }) {
  return state === "asked" || state === "seen";
}

/** The request that cancelled the session. @param {Progress} data @returns {SessionRequest | null} */
export function cancellationOf(data) {
  const [newest] = data.requests ?? [];
  return newest?.kind === "cancel" && newest.state === "honoured" && isOver(data) ? newest : null;
}

/** The worker has agreed to stop, and no step was started since it was asked. @param {Progress} data */
function isStopping(data) {
  const [newest] = data.requests ?? [];
  if (newest?.kind !== "cancel" || newest.state !== "honoured" || isOver(data)) return false;
  const asked_ms = Date.parse(newest.asked_at);
  return data.steps.every((step) => !(Date.parse(startedAt(step) ?? "") > asked_ms));
}

/**
 * The sentence about the newest request; null if there is nothing to say, or if the headline says it.
 * @param {Progress} data
 * @returns {RequestSentence | null}
 */
export function requestSentence(data) {
  const [newest] = data.requests ?? [];
  if (!newest) return null;
  if (newest.kind === "cancel") return cancelSentence(newest, data);
  return newest.kind === "retry" ? retrySentence(newest, data) : null;
}

/** @param {SessionRequest} request @param {Progress} data @returns {RequestSentence | null} */
function cancelSentence(request, data) {
  const { state, message = "", reason = "" } = request;
  if (state === "asked" && isUnheard(data)) return { look: "asked", key: "cancel_unheard", values: {} };
  if (state === "asked")
    return { look: "asked", key: reason ? "cancel_asked_why" : "cancel_asked", values: { reason } };
  if (state === "seen" || isStopping(data)) return { look: "seen", key: "cancel_seen", values: {} };
  if (state === "declined") return declined("cancel", message);
  if (state === "honoured" && isOver(data) && message)
    return { look: "ended", key: "worker_says", values: { message } };
  if (state !== "too_late" || !isOver(data)) return null;
  return { look: "ended", key: data.status === "completed" ? "cancel_too_late" : "cancel_too_late_failed", values: {} };
}

/** @param {SessionRequest} request @param {Progress} data @returns {RequestSentence | null} */
function retrySentence({ state, message = "" }, data) {
  if (data.status !== "error") return null;
  if (state === "asked") return { look: "asked", key: "retry_asked", values: {} };
  if (state === "seen") return { look: "seen", key: "retry_seen", values: {} };
  return state === "declined" ? declined("retry", message) : null;
}

/** @param {RequestKind} kind @param {string} message @returns {RequestSentence} */
function declined(kind, message) {
  return { look: "ended", key: message ? `${kind}_declined_why` : `${kind}_declined`, values: { message } };
}

/** Whether each running step has lost its worker. @param {Progress} data */
function isUnheard(data) {
  const running = runningSteps(data);
  return running.length > 0 && running.every(isStalled);
}

/** Whether a request was made, answered or settled since. @param {Progress} before @param {Progress} data */
export function hasNewRequest(before, data) {
  const [now] = data.requests ?? [];
  const known = before.requests?.find(({ id }) => id === now?.id);
  return now !== undefined && now.state !== known?.state;
}
