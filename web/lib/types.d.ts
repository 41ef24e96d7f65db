// What `import … from "progress-sse"` gives: the names of index.js, which has them from tracker.js, and the wire's types.

import type { ProgressTrackerConstructor, Step, ProgressTracker as Tracker } from "./wire.js";

export type * from "./wire.js";
export type ProgressTracker = Tracker;
export const ProgressTracker: ProgressTrackerConstructor;
export function checkTimeout(step: Step): boolean;
