// `import "progress-sse/progress-list"` adds <progress-list> to a page. Declarations only.

import type { ListTrackerOptions, SessionList, SessionStatus, TrackerState } from "./wire.js";
import "./list-markup.js";

/** Lists sessions, live. list-element.js documents the attributes and events. */
export interface ProgressList extends HTMLElement {
  prefix: string;
  /** `key:value`; several on lines of their own. */
  label: string;
  status: Exclude<SessionStatus, "not_found"> | "";
  baseUrl: string;
  interval: number;
  transport: "auto" | "sse" | "poll";
  /** As for a tracker; null if none is needed. It has no attribute. */
  token: NonNullable<ListTrackerOptions["token"]> | null;
}

export interface ProgressListEventMap {
  "progress-list": CustomEvent<SessionList>;
  "progress-liststatechange": CustomEvent<{ state: TrackerState }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "progress-list": ProgressList;
  }

  interface HTMLElementEventMap extends ProgressListEventMap {}
}
