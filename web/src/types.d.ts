// Shapes that the tracker's modules share. Declarations only.

import type { Progress, Timers, TrackerOptions } from "../lib/wire.js";
import type { LogPage } from "./log-follower.js";

/** What a page follows: sessions, and whether their logs, too. */
export interface Wanted {
  sessions: string[];
  hasLog: boolean;
}

export type Token = NonNullable<TrackerOptions["token"]>;

/** Where streams are opened, and how. Trackers with equal settings share a hub. */
export interface StreamSettings {
  baseUrl: string;
  EventSource: NonNullable<TrackerOptions["EventSource"]>;
  withCredentials: boolean;
  timers: Timers;
  /**
   * All tabs of the browser may use the stream together. With a token only those do whose tokens have the same
   * `rights`: then no tab is sent what its own token does not allow. No token and no ticket ever leaves its tab.
   */
  isShared: boolean;
  token: Token | undefined;
  /** As `rightsOf` reads them from the token, or those of a session's link; "" without either. */
  rights: string;
  /** The stream is authorized by the cookie of its session's link, which `/api/events` would not receive. */
  isByLink: boolean;
  /** Of a list of sessions, which has a stream of its own; null for sessions by their ids. */
  query: string | null;
  /** Gets tickets for a token; unused without one. */
  fetch: typeof globalThis.fetch;
}

export interface Failure {
  /** The stream may come back, but pages should poll in the meantime. */
  isHopeless: boolean;
  /** The server answered with another status than 200. */
  isRefused: boolean;
}

/** An event of a stream, a failure of it, or both (an event that was held back). */
export interface StreamEvent {
  type: "snapshot" | "step" | "session" | "list" | "removed" | "heartbeat" | "log" | "end" | "failure";
  /** Of the event. */
  data?: any;
  failure?: Failure | undefined;
  /** The event id to resume from. */
  position?: string;
  /** The first event of its connection; missed events may follow. */
  isFirst?: boolean;
  /** The event shows the server as it was at this time or later, by the clock that all tabs share. */
  since_ms?: number;
}

/** A stream event. It is posted to other tabs, so it is plain data. */
export interface SharedEvent extends StreamEvent {
  /** All that share the stream; for the stream of a list, its query. */
  sessions: string[];
}

/** What keeps a stream, for the tabs of a browser or for one of them. Lists are followed by their query. */
export interface StreamSource {
  /** All that are wanted from now on. */
  follow(wanted: Wanted): void;
  retryNow(): void;
  restart(): void;
  close(): void;
}

/** The state of a stream: of its sessions by their ids, or of its list by the query. */
export interface FollowedState<Data> {
  data: Map<string, Data>;
  position: string;
  live: Set<string>;
  apply(event: SharedEvent): void;
  changed(event: SharedEvent): string | undefined;
  forget(id: string): void;
}

/** The calls by which a hub notifies a tracker of its session. */
export interface SessionListener<Data = Progress> {
  /**
   * `since_ms`: a snapshot shows the session as it was at this time or later; 0 if that is not known. `isChange`: the
   * data comes of one change, and not of a snapshot.
   */
  onData: (data: Data, since_ms: number, isChange: boolean) => void;
  /** The stream works. */
  onAlive: () => void;
  onFailure: (failure: Failure) => void;
  /** Whether it is to be given the lines of the session's log. */
  wantsLog?: boolean;
  onLog?: (page: LogPage) => void;
}
