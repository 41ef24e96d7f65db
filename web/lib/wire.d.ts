// The messages of docs/protocol.md, and the names that tracker.js puts on a page. Declarations only.

export type StepStatus = "pending" | "running" | "success" | "error";
export type SessionStatus = "not_found" | "pending" | "running" | "completed" | "error";

/** A step that was started: nine keys, and `progress` while its worker reports how far it is. */
export interface StartedStep {
  step: number;
  name: string;
  status: Exclude<StepStatus, "pending">;
  /** ISO 8601 with an explicit offset. */
  started_at: string | null;
  completed_at: string | null;
  elapsed_ms: number;
  timeout_ms: number | null;
  message: string;
  error: string;
  progress?: { current: number; total: number | null };
}

export interface PendingStep {
  step: number;
  name: string;
  status: "pending";
  elapsed_ms: 0;
  timeout_ms: number;
}

export type Step = StartedStep | PendingStep;

/** What a `step` event says of the session after the transition. */
export interface SessionSummary {
  session_id: string;
  current_step: number;
  total_steps: number;
  status: SessionStatus;
  /** Whole percent, 0…100. Failed steps count: 100 does not mean `completed`. */
  percentage: number;
  estimated_remaining_ms: number;
}

/** The polling answer, and the data of a `snapshot` event. Keys come in this order. */
export interface Progress {
  session_id: string;
  current_step: number;
  total_steps: number;
  status: SessionStatus;
  /** One entry per step number 1…`total_steps`; empty when the session is `not_found`. */
  steps: Step[];
  percentage: number;
  estimated_remaining_ms: number;
}

/** The data of a `step` event: what folds one snapshot into the next. */
export interface StepEvent {
  step: StartedStep;
  session: SessionSummary;
}

/** The data of a `heartbeat` event. */
export interface Heartbeat {
  now: string;
  interval_ms: number;
}

/**
 * How a tracker is connected, in one word:
 * - `stopped`: not started, or stopped by `stop()`;
 * - `connecting`: started, nothing heard yet;
 * - `live`: events arrive;
 * - `reconnecting`: neither the stream nor polls get through at present;
 * - `polling`: polls are answered, the stream does not work (or is not wanted);
 * - `finished`: the session is `completed`, or in `error` where that stops the tracker;
 * - `denied`: the server answered a poll with 401 or 403 (a refused stream does not say why, and so is followed by a poll).
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
  /** Milliseconds between polls, and the longest that `onUpdate` is silent once there is data. Default 2000. */
  interval?: number;
  /** Called at once on a change, and at least every `interval` ms. */
  onUpdate?: (data: Progress) => void;
  /** Called once, when the session is `completed`; the tracker has stopped by then. */
  onComplete?: (data: Progress) => void;
  /** Called once, when the session is in `error`; the tracker has stopped by then. Network trouble never gets here. */
  onError?: (data: Progress) => void;
  /** `false`: go on after `error`, since a retry may follow, and never call `onError`. Default true. */
  stopOnError?: boolean;
  /**
   * `auto`: stream, and poll while that does not work; `sse`: stream only, save one poll to learn why it was refused;
   * `poll`: poll only. Default `auto`.
   */
  transport?: "auto" | "sse" | "poll";
  /** Where the server is mounted, without a trailing slash. Default `ProgressTracker.baseUrl`. */
  baseUrl?: string;
  /** Send cookies to another origin. Default false. */
  withCredentials?: boolean;
  /**
   * For a server whose readers need one: a token, or a function that gets one, which is asked when one is needed, and once
   * more where it is refused. Polls send it in a header, streams a ticket in its place; it is in no address. Refused again:
   * `denied`. Trackers share a stream only where what their tokens grant is the same; with a token that is no JSON Web Token
   * no tabs do, and `auto` polls.
   */
  token?: string | (() => string | Promise<string>);
  /** Stops the tracker when aborted. */
  signal?: AbortSignal;
  /**
   * One that can send headers fits here; null polls. Trackers of a page that are given the same one share its stream.
   * Default: the browser's, whose stream all tabs share (where they cannot, `auto` polls: see `ProgressTracker`).
   */
  EventSource?: (new (url: string, init: { withCredentials: boolean }) => EventSourceLike) | null;
  fetch?: typeof globalThis.fetch;
  timers?: Timers;
}

/**
 * Follows one session. Dispatches `statechange` when `state` changes.
 *
 * A browser has six connections to a server over HTTP/1.1, for all its tabs together. So all trackers of all tabs share
 * one stream (of 20 sessions; those beyond are polled), and the tab that holds it posts what it brings. By
 * BroadcastChannel, so also without TLS; a browser that has none (before 2022) polls.
 */
export interface ProgressTracker extends EventTarget {
  sessionId: string;
  interval: number;
  onUpdate: ((data: Progress) => void) | undefined;
  onComplete: ((data: Progress) => void) | undefined;
  onError: ((data: Progress) => void) | undefined;
  readonly state: TrackerState;
  /** What the last update said, a copy; null before the first one since `start()`. */
  readonly data: Progress | null;
  /**
   * Resolves when this run ends, and never rejects: with the data that ended it where `state` is `finished`, with null
   * where it is `stopped` or `denied`. `start()` after an end makes a new one.
   */
  readonly finished: Promise<Progress | null>;
  /** Whether the tracker is at work, be it by stream or by polls: from `start()` until it stops. `false` stops it. */
  polling: boolean;
  /** The server's clock as far as heartbeats told it, else this machine's: milliseconds since 1970. */
  now(): number;
  /** Starts following. Resolves after the first `onUpdate`, or when stopped before it; never rejects. */
  start(): Promise<void>;
  /** Leaves no timer, request or stream behind. `start()` begins anew. */
  stop(): void;
  /** Asks once, now, also on a tracker that is not started. Resolves after `onUpdate`, or when there was no answer. */
  poll(): Promise<void>;
}

export interface ProgressTrackerConstructor {
  new (sessionId: string, options?: TrackerOptions): ProgressTracker;
  prototype: ProgressTracker;
  /** Where the server is mounted: derived from the address of tracker.js; "" is the root of the page's origin. */
  baseUrl: string;
  /** The data after a transition; pure. `fold(snapshot, steps…)` equals the poll, byte for byte as JSON. */
  fold(data: Progress, event: StepEvent): Progress;
}

declare global {
  var ProgressTracker: ProgressTrackerConstructor;
  /** Is this a `running` step older than its `timeout_ms`, by the server's clock as far as heartbeats told it? */
  function checkTimeout(step: Step): boolean;
}
