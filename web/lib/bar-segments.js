/* Where one step of a session's bar ends and the next one begins: pure functions, without DOM. */
import { elapsed_ms, runningSteps } from "./steps.js";
import { runningLeft_ms, usual_ms } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */

/** Segments that are shorter have no end of their own. */
const MIN_PERCENT = 1;

/**
 * The ends of the bar's segments, in percent: a segment is as long as its step takes. The bar is full up to
 * `percentage`. Before that are the steps that are done, and the elapsed part of the running ones; then comes what is
 * left. Empty where the time of a step is not known, and without a bar by time.
 * @param {SessionState} state
 * @param {number} percentage
 * @param {number} now_ms
 */
export function segmentEnds({ data, known: { learned } }, percentage, now_ms) {
  if (!data.time) return [];
  const running = runningSteps(data);
  const done = data.steps.filter(({ status }) => status === "success").map((step) => step.elapsed_ms);
  const spent = Math.max(0, ...running.map((step) => elapsed_ms(step, now_ms)));
  const rest = runningLeft_ms(data, learned, now_ms);
  const waiting = data.steps.filter(({ status }) => status === "pending" || status === "error");
  const left = waiting.map((step) => usual_ms(step, learned));
  const before = endsOf([...done, spent], 0, percentage);
  const after = endsOf([rest, ...left], percentage, 100);
  if (after.some(Number.isNaN)) return [];
  // The elapsed part of the running steps and the rest of them are one segment.
  return spaced([...before.slice(0, running.length ? -1 : undefined), ...after.slice(running.length ? 0 : 1)]);
}

/** The end of each length, where all of them together reach from one place to another. @param {number[]} lengths @param {number} from @param {number} to */
function endsOf(lengths, from, to) {
  const sum = lengths.reduce((total, length) => total + length, 0);
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return sum ? from + ((to - from) * end) / sum : Number.isNaN(sum) ? NaN : from;
  });
}

/** Those that leave room before them, and before the end. @param {number[]} ends */
function spaced(ends) {
  /** @type {number[]} */
  const kept = [];
  for (const end of ends) if (end - (kept.at(-1) ?? 0) >= MIN_PERCENT && 100 - end >= MIN_PERCENT) kept.push(end);
  return kept;
}
