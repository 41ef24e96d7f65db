// The types that progress-sse/react and progress-sse/vue share. Declarations only.

import type {
  ListFilter,
  Progress,
  RequestKind,
  RequestOptions,
  SessionList,
  SessionRequest,
  TrackerOptions,
  TrackerState,
} from "./wire.js";

export interface UseProgressOptions
  extends Pick<TrackerOptions, "interval" | "transport" | "baseUrl" | "withCredentials"> {
  /** As for a tracker; null if none is needed. */
  token?: TrackerOptions["token"] | null;
}

/** A session as a component shows it. It is replaced when something changes, and only then. */
export interface FollowedState {
  /** Null until the first answer of the server, and without a session. */
  readonly data: Progress | null;
  /** `connecting` before the component is mounted; `stopped` without a session. */
  readonly state: TrackerState;
  /**
   * What this reader may ask of the worker now: the kinds that the worker accepts, that the server lets this reader ask
   * for, and that are not asked yet.
   */
  readonly canRequest: readonly RequestKind[];
  /**
   * Asks the worker, as `ProgressTracker.request` does; `data.requests` shows what becomes of it. Rejects with a
   * `RequestError`, and while nothing is followed.
   */
  readonly request: (kind: RequestKind, options?: RequestOptions) => Promise<SessionRequest>;
}

export interface UseProgressListOptions extends ListFilter, UseProgressOptions {}

/** A list of sessions as a component shows it. It is replaced when something changes, and only then. */
export interface FollowedListState {
  /** Null until the first answer of the server. It is not to be changed. */
  readonly data: SessionList | null;
  /** `connecting` before the component is mounted. */
  readonly state: TrackerState;
  /** From now on the list has up to 1000 sessions; before that, the newest 100 and those that have changed since. */
  readonly showMore: () => void;
}
