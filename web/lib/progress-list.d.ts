// `import "progress-sse/progress-list"` adds <progress-list> to a page. Declarations only.

import type { ListStatus, ListTrackerOptions, SessionList, TrackerState } from "./wire.js";
import "./list-markup.js";

/** Several are separated by blanks. */
export type ListStatuses = ListStatus | `${ListStatus} ${ListStatus}` | `${ListStatus} ${ListStatus} ${ListStatus}`;

/** Lists sessions, live. list-element.js documents the attributes and events. */
export interface ProgressList extends HTMLElement {
  prefix: string;
  /** `key:value`; several on lines of their own. */
  label: string;
  /** Any of several. */
  status: ListStatuses | "";
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
