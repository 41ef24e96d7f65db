// The names that tracker.js puts on a page, and what they take and give. Declarations only.

import type {
  ListedSession,
  LogLine,
  Part,
  Progress,
  RequestKind,
  SessionEvent,
  SessionRequest,
  SessionStatus,
  Step,
  StepDefinition,
  StepEvent,
} from "./wire.js";

export interface RequestOptions {
  /** The step that is meant. Default: the session as a whole. */
  step?: number;
  /** Up to 500 characters, which every reader of the session sees. */
  reason?: string;
  /** Ends the attempts to send it. */
  signal?: AbortSignal;
}

/** Lines of a session's log, of which each comes once, in order. */
export interface LogUpdate {
  /** The log begins anew with another one; "" without a log. */
  life: string;
  /** All lines before are to be forgotten; none come along. */
  isNew: boolean;
  lines: LogLine[];
  /** How many lines before the first of these are not kept any more. */
  missed: number;
}

/** Sessions, newest first, and whether there are more than these. */
export interface SessionList {
  readonly sessions: readonly ListedSession[];
  readonly more: boolean;
}

/**
 * The connection of a tracker:
 * - `stopped`: not started, or stopped by `stop()`;
 * - `connecting`: started, and nothing has arrived yet;
 * - `live`: events arrive;
 * - `reconnecting`: neither the stream nor polls work at present;
 * - `polling`: polls are answered; the stream does not work, or is not wanted;
 * - `finished`: the session is `completed`, or in `error` if that stops the tracker;
 * - `denied`: the server answered a poll with 401 or 403. A refused stream hides its status, so a poll follows it.
 */
export type TrackerState = "stopped" | "connecting" | "live" | "reconnecting" | "polling" | "finished" | "denied";

/** The part of an EventSource that the tracker uses. */
export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: any) => void): void;
  close(): void;
}

export interface Timers {
  setTimeout(action: () => void, delay_ms: number): any;
  clearTimeout(handle: any): void;
}

export interface TrackerOptions {
  /** Milliseconds between polls, and between calls of `onUpdate` while nothing changes. Default 2000. */
  interval?: number | undefined;
  /** Called at once on a change, and at least every `interval` ms. */
  onUpdate?: (data: Progress) => void;
  /** Called once, when the session is `completed`; the tracker has stopped by then. */
  onComplete?: (data: Progress) => void;
  /** Called once, when the session is in `error`; the tracker has stopped by then. Not for network errors. */
  onError?: (data: Progress) => void;
  /** `false`: follow on after `error`, since a retry may come, and never call `onError`. Default true. */
  stopOnError?: boolean;
  /**
   * `auto`: stream, and poll while that does not work. `sse`: stream only, but poll once to learn why it was refused.
   * `poll`: poll only. Default `auto`.
   */
  transport?: "auto" | "sse" | "poll" | undefined;
  /** Where the server is mounted, without a trailing slash. Default `ProgressTracker.baseUrl`. */
  baseUrl?: string | undefined;
  /** Send cookies to another origin. Default false. */
  withCredentials?: boolean | undefined;
  /**
   * For a server whose readers need a token: the token, or a function that returns it. The function is called when a
   * token is needed, and once more if the server refuses it; after a second refusal the tracker is `denied`. Polls send
   * the token in a header, streams send a ticket in its place: it is never part of a URL. Trackers share a stream only
   * if their tokens grant the same. With a token that is not a JSON Web Token tabs share none, and `auto` polls.
   */
  token?: string | (() => string | Promise<string>) | undefined;
  /**
   * Follow by the link that this browser has opened for the session (`/s/nightly#token=…`), and not by the visitor's own
   * cookie. For pages of the server's own origin, without a `token`. Only trackers of the same session share a stream.
   */
  byLink?: boolean | undefined;
  /** Stops the tracker when aborted. */
  signal?: AbortSignal;
  /**
   * A class in place of the browser's, for example one that can send headers; null polls. Trackers of a page with the
   * same class share its stream. Default: the browser's, whose stream all tabs share. If they cannot, `auto` polls: see
   * `ProgressTracker`.
   */
  EventSource?: (new (url: string, init: { withCredentials: boolean }) => EventSourceLike) | null;
  fetch?: typeof globalThis.fetch;
  timers?: Timers;
}

/**
 * Follows one session. Dispatches `statechange` when `state` changes.
 *
 * Over HTTP/1.1 a browser has six connections to a server, for all its tabs together. So all trackers of all tabs share
 * one stream of up to 20 sessions; further sessions are polled. Where links, lists and tokens of other rights would take
 * more than four streams together, some are polled. The tab that holds the stream posts its events by
 * BroadcastChannel, so this works without TLS too. A browser without BroadcastChannel (before 2022) polls.
 */
export interface ProgressTracker extends EventTarget {
  sessionId: string;
  interval: number;
  onUpdate: ((data: Progress) => void) | undefined;
  onComplete: ((data: Progress) => void) | undefined;
  onError: ((data: Progress) => void) | undefined;
  readonly state: TrackerState;
  /** A copy of the last update; null before the first one since `start()`. */
  readonly data: Progress | null;
  /**
   * Resolves when this run ends, and never rejects: to the data that ended it if `state` is `finished`, to null if it
   * is `stopped` or `denied`. `start()` after an end makes a new promise.
   */
  readonly finished: Promise<Progress | null>;
  /** Whether the tracker runs, by stream or by polls: from `start()` until it stops. Setting `false` stops it. */
  polling: boolean;
  /** The server's time in milliseconds since 1970, as heartbeats and polls show it; before those, this machine's. */
  now(): number;
  /** Starts following. Resolves after the first `onUpdate`, or when stopped before it; never rejects. */
  start(): Promise<void>;
  /** Leaves no timer, request or stream behind. `start()` begins again. */
  stop(): void;
  /**
   * Polls once, now, even if not started. Resolves after `onUpdate`, or when there was no answer. It sends nothing while
   * the server's `Retry-After` has not passed.
   */
  poll(): Promise<void>;
  /**
   * Asks the session's worker, and resolves to the request as the server has it. Where the same is asked already, that
   * is the one. It is sent again, and counts once, while the server does not answer. Rejects with a `RequestError`.
   */
  request(kind: RequestKind, options?: RequestOptions): Promise<SessionRequest>;
  /** Whether the server lets this reader ask. Rejects if it does not answer. */
  mayRequest(options?: { signal?: AbortSignal }): Promise<boolean>;
  /** All parts of a step, in the order of their first reports. Rejects with a `RequestError`. */
  parts(step: number, options?: { signal?: AbortSignal }): Promise<Part[]>;
  /**
   * Follows the log of the session until `signal` is aborted: first all lines that are kept, then each as it comes. It
   * comes by the stream while that works, and else with the polls; after the end of the session all lines are there. The
   * server sends no lines to pages that do not ask for them.
   */
  followLog(onLines: (update: LogUpdate) => void, options?: { signal?: AbortSignal }): void;
  /** The session's steps, and what was learned of them from earlier runs. Rejects with a `RequestError`. */
  steps(options?: { signal?: AbortSignal }): Promise<StepDefinition[]>;
  /** The steps of sessions that bring none of their own. Rejects with a `RequestError`. */
  serverSteps(options?: { signal?: AbortSignal }): Promise<StepDefinition[]>;
}

/** A request that the server refused or did not answer, as methods of `ProgressTracker` reject with it. */
export interface RequestError extends Error {
  name: "RequestError";
  /** Of the response; 0 if there was none. */
  status: number;
  /** Of the problem: `/problems/request-out-of-time`. */
  type: string;
}

export interface ProgressTrackerConstructor {
  new (sessionId: string, options?: TrackerOptions): ProgressTracker;
  prototype: ProgressTracker;
  /** Where the server is mounted: derived from the address of tracker.js; "" is the root of the page's origin. */
  baseUrl: string;
  /** The data after a `step` or `session` event; pure. Folded into the snapshot, they equal the poll, byte for byte. */
  fold(data: Progress, event: StepEvent | SessionEvent): Progress;
}

/** What a list may be asked for: each `error` is `failed`, `cancelled` or `lost`; of the `running` some are `stalled`. */
export type ListStatus = Exclude<SessionStatus, "not_found"> | "failed" | "cancelled" | "lost" | "stalled";

/** Which sessions a list has; all that is given must hold. */
export interface ListFilter {
  /** Begins the ids. A token with prefixes lists only what lies within one of them. Default "": all. */
  prefix?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Of several any must hold. */
  status?: ListStatus | readonly ListStatus[] | undefined;
}

export interface ListTrackerOptions
  extends ListFilter,
    Pick<TrackerOptions, "interval" | "transport" | "baseUrl" | "withCredentials" | "token" | "signal">,
    Pick<TrackerOptions, "EventSource" | "fetch" | "timers"> {
  /** Called at once on a change. */
  onUpdate?: ((list: SessionList) => void) | undefined;
}

/**
 * Follows a list of sessions. Dispatches `statechange` when `state` changes, which is never `finished`. Tabs share the
 * stream of a list, as they share that of sessions, where they follow the same filter.
 */
export interface ProgressListTracker extends EventTarget {
  readonly state: TrackerState;
  /** The last update; null before the first one. It is not to be changed. */
  readonly data: SessionList | null;
  /** The server's time in milliseconds since 1970. */
  now(): number;
  start(): void;
  /** Leaves no timer, request or stream behind. `start()` begins again. */
  stop(): void;
  /** From now on the list has up to 1000 sessions; before that, the newest 100 and those that have changed since. */
  showMore(): void;
}

export interface ProgressListTrackerConstructor {
  new (options?: ListTrackerOptions): ProgressListTracker;
  prototype: ProgressListTracker;
}

declare global {
  var ProgressTracker: ProgressTrackerConstructor;
  var ProgressListTracker: ProgressListTrackerConstructor;
  /** Whether a step has been `running` for longer than its `timeout_ms`, by the server's time as `now()` has it. */
  function checkTimeout(step: Step): boolean;
}
