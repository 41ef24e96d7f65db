// The types of `import … from "progress-sse"`: the exports of index.js, and the shapes of the wire.

import type {
  ProgressListTracker as ListTracker,
  ProgressListTrackerConstructor,
  ProgressTrackerConstructor,
  Step,
  ProgressTracker as Tracker,
} from "./wire.js";

export type * from "./wire.js";
export type ProgressTracker = Tracker;
export const ProgressTracker: ProgressTrackerConstructor;
export type ProgressListTracker = ListTracker;
export const ProgressListTracker: ProgressListTrackerConstructor;
export function checkTimeout(step: Step): boolean;
