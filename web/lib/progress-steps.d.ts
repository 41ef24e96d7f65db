// What `import "progress-sse/progress-steps"` adds to a page: <progress-steps>. Declarations only.

import type { Progress, TrackerOptions, TrackerState } from "./wire.js";

/** One session, or several; see element.js for what attributes and events mean. */
export interface ProgressSteps extends HTMLElement {
  session: string;
  /** Ids, with blanks between. */
  sessions: string;
  baseUrl: string;
  interval: number;
  transport: "auto" | "sse" | "poll";
  label: string;
  timeline: boolean;
  /** As a tracker's; null if none is needed. No attribute goes with it. */
  token: NonNullable<TrackerOptions["token"]> | null;
  onretry: ((sessionId: string, data: Progress) => void) | null;
  /** The data of each session that is known, by its id. */
  readonly data: Record<string, Progress>;
}

export type ProgressStepsEvent = CustomEvent<{ session: string; data: Progress }>;

declare global {
  interface HTMLElementTagNameMap {
    "progress-steps": ProgressSteps;
  }

  interface HTMLElementEventMap {
    "progress-update": ProgressStepsEvent;
    "progress-complete": ProgressStepsEvent;
    "progress-error": ProgressStepsEvent;
    "progress-statechange": CustomEvent<{ session: string; state: TrackerState }>;
  }
}
