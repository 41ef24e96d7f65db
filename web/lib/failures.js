/* What has failed in a session: pure functions of its data. */
import { conclusionOf } from "./headline.js";
import { failedSteps } from "./steps.js";

/** @typedef {import("./headline.js").Sentence & {error: string}} Failure */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").StartedStep} StartedStep */

/**
 * The failed steps, and the session itself if it failed otherwise than they did.
 * @param {Progress} data
 * @returns {Failure[]}
 */
export function failuresOf(data) {
  const failed = failedSteps(data);
  const ofSteps = failed.map(failureOf);
  const { status, error = "" } = data;
  const isTold = error ? failed.some((step) => step.error === error) : failed.length > 0;
  return status !== "error" || isTold ? ofSteps : [failureOfAll(data, error), ...ofSteps];
}

/** @param {StartedStep} step @returns {Failure} */
function failureOf({ step, name, error, conclusion }) {
  const key =
    conclusion === "cancelled" || conclusion === "lost" ? /** @type {const} */ (`failure_${conclusion}`) : "failure";
  return { key, values: { step, name }, error };
}

/** @param {Progress} data @param {string} error @returns {Failure} */
function failureOfAll(data, error) {
  const conclusion = conclusionOf(data);
  return { key: conclusion ? `failure_${conclusion}_whole` : "failure_whole", values: {}, error };
}
