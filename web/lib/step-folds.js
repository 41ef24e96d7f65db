/* Which steps of a long list are folded into one line: pure functions. */

/** @typedef {import("./wire.js").Step} Step */

/**
 * A run of steps that are all done, or have all not begun. Indexes count from 0.
 * @typedef {{kind: "done" | "waiting", key: string, first: number, last: number, took_ms: number}} Fold
 */

/** A list of so many steps fits on a screen. */
export const SHORT = 10;
/** A shorter run is not worth a line that stands for it. */
const LEAST = 3;
/** What comes next is always shown. */
const NEXT_SHOWN = 3;

/**
 * The runs of a list; a short list has none. The key of a run stays while the run grows or shrinks.
 * @param {readonly Step[]} steps
 * @returns {Fold[]}
 */
export function foldsOf(steps) {
  if (steps.length <= SHORT) return [];
  /** @type {Fold[]} */
  const folds = [];
  for (let first = 0; first < steps.length; ) {
    const last = endOfRun(steps, first);
    const fold = foldOf(steps, first, last);
    if (fold) folds.push(fold);
    first = last + 1;
  }
  return folds;
}

/** The last of the steps from `first` on that have its status. @param {readonly Step[]} steps @param {number} first */
function endOfRun(steps, first) {
  const end = steps.findIndex(({ status }, index) => index > first && status !== steps[first]?.status);
  return (end < 0 ? steps.length : end) - 1;
}

/** @param {readonly Step[]} steps @param {number} first @param {number} last @returns {Fold | null} */
function foldOf(steps, first, last) {
  const status = steps[first]?.status;
  if (status === "success" && last - first + 1 >= LEAST) {
    const took_ms = steps.slice(first, last + 1).reduce((sum, step) => sum + step.elapsed_ms, 0);
    return { kind: "done", key: `done from ${first}`, first, last, took_ms };
  }
  const from = first + NEXT_SHOWN;
  if (status === "pending" && last - from + 1 >= LEAST) {
    return { kind: "waiting", key: `waiting to ${last}`, first: from, last, took_ms: 0 };
  }
  return null;
}
