// `import "progress-sse/progress-steps"` adds <progress-steps> to a page. Declarations only.

import type { Progress, TrackerOptions, TrackerState } from "./wire.js";
import "./markup.js";

/** Shows one session, or several. element.js documents the attributes and events. */
export interface ProgressSteps extends HTMLElement {
  session: string;
  /** Ids, separated by blanks. */
  sessions: string;
  baseUrl: string;
  interval: number;
  transport: "auto" | "sse" | "poll";
  label: string;
  timeline: boolean;
  /** The steps are closed at first. */
  compact: boolean;
  /** As for a tracker; null if none is needed. It has no attribute. */
  token: NonNullable<TrackerOptions["token"]> | null;
  onretry: ((sessionId: string, data: Progress) => void) | null;
  /** The data of the sessions that have been loaded, by id. */
  readonly data: Record<string, Progress>;
}

export type ProgressStepsEvent = CustomEvent<{ session: string; data: Progress }>;

export interface ProgressStepsEventMap {
  "progress-update": ProgressStepsEvent;
  "progress-complete": ProgressStepsEvent;
  "progress-error": ProgressStepsEvent;
  "progress-statechange": CustomEvent<{ session: string; state: TrackerState }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "progress-steps": ProgressSteps;
  }

  interface HTMLElementEventMap extends ProgressStepsEventMap {}
}
