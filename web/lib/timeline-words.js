/* What is known of one step of a timeline, in words. No DOM. */
import { attemptText, stateText } from "./step-words.js";
import { elapsed_ms } from "./steps.js";
import { kindOf } from "./timeline-spans.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./timeline-spans.js").Span} Span */

const SECOND_MS = 1000;

/**
 * "done, 14:03:05–14:04:10, took 1 min 5 s, usually 50 s, attempt 2".
 * @param {Span} span
 * @param {Language} language
 * @param {number} [now_ms] Without it a running step has no duration, which would change each second.
 */
export function spanWords({ step, ...span }, language, now_ms) {
  const isRunning = step.status === "running";
  const took_ms = isRunning && now_ms === undefined ? 0 : elapsed_ms(step, now_ms ?? 0);
  const attempt = attemptText(step, language);
  const kind = kindOf(span);
  return language.joined([
    stateText(step, language),
    timesOf(step, language),
    ...(took_ms < SECOND_MS ? [] : [language.text(isRunning ? "running_for" : "took", durationOf(took_ms))]),
    ...(kind ? [language.text(`timeline_${kind}`, durationOf(span.expected_ms))] : []),
    ...(attempt ? [attempt] : []),
  ]);
}

/** @param {Span["step"]} step @param {Language} language */
function timesOf({ started_at, completed_at }, language) {
  const from = language.time(Date.parse(started_at ?? ""));
  const to = completed_at ? language.time(Date.parse(completed_at)) : "";
  if (!to) return language.text("timeline_since", { from });
  return from === to ? from : language.text("timeline_span", { from, to });
}

/** @param {number} duration_ms @returns {import("./language.js").Values} */
const durationOf = (duration_ms) => ({ duration: { duration_ms } });
