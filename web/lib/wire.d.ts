// Written by docs/generate.py from the models of the responses. Times are ISO 8601 with an explicit offset.

export type * from "./tracker-types.js";

export type Step = StartedStep | PendingStep;
export type StepDetails = Pick<PendingStep, "estimated_ms">;
export type StepStatus = Step["status"];
export type SessionStatus = Progress["status"];
export type RequestKind = SessionRequest["kind"];
export type LogLevel = LogLine["level"];

/** How far a running step is. */
export interface StepProgress {
  current: number;
  /** `null` where it is unknown. */
  total: number | null;
}

/** A part of a step that many workers do at once. */
export interface Part {
  /** The name that its worker gave it. */
  part: string;
  status: "running" | "success" | "error";
  /** Present where its last report says how far it is. */
  progress?: StepProgress;
  message?: string;
  error?: string;
  /** Milliseconds from its first report to its end; 0 while it runs. */
  elapsed_ms: number;
}

/** The parts of a step that many workers do at once. */
export interface Parts {
  /** How many there will be; `null` where that is unknown. */
  total: number | null;
  running: number;
  success: number;
  error: number;
  /** The failed ones first, then the running ones, then those that ended last. */
  listed: Part[];
}

/** Whether the worker of a running step gives the signs of life that it promised. */
export interface Liveness {
  state: "live" | "stalled";
  /** The first sign of those without a gap; where it is stalled, the last sign. */
  since: string;
}

/** A step that was started. */
export interface StartedStep {
  step: number;
  name: string;
  status: "running" | "success" | "error";
  started_at: string;
  completed_at: string | null;
  /** Milliseconds from start to completion; 0 while it runs. */
  elapsed_ms: number;
  /** Milliseconds after which a page may show it as overdue; the server does not stop it. */
  timeout_ms: number | null;
  message: string;
  error: string;
  /** Present only while the step runs, once its worker has reported progress. */
  progress?: StepProgress;
  /** Which attempt it is, counted from the first start with an `attempt_id`; present from then on. */
  attempt?: number;
  /** Milliseconds that it takes, as its definition says; present where the time of the session is worked out. */
  estimated_ms?: number;
  /** Present only while the step runs, if its worker promised signs of life. */
  liveness?: Liveness;
  /** What ended it, beyond its status: present if it was skipped, cancelled, or given up for lack of reports. */
  conclusion?: "skipped" | "cancelled" | "lost";
  /** Present if workers do it in parts. */
  parts?: Parts;
}

/** A step that was not started yet. */
export interface PendingStep {
  step: number;
  name: string;
  status: "pending";
  elapsed_ms: 0;
  timeout_ms: number | null;
  /** Milliseconds that it takes, as its definition says; present where the time of the session is worked out. */
  estimated_ms?: number;
}

/** What a reader asked of the worker of a session; each reader of the session sees it. */
export interface SessionRequest {
  id: string;
  kind: "cancel" | "retry";
  /** The step that it is about; `null`: the session. */
  step: number | null;
  /** Only ever moves on, from `asked`, maybe over `seen`, to one of the others. */
  state: "asked" | "seen" | "honoured" | "declined" | "too_late";
  asked_at: string;
  /** Why it was asked, if a reason was given. */
  reason?: string;
  /** What the worker answered, if it gave a text. */
  message?: string;
}

/** A link for readers: http, https, or a path of this host. */
export interface Link {
  label: string;
  url: string;
}

/** When a session will end, by the clock of the server. */
export interface FinishAt {
  /** In half of all cases before this. */
  p50: string;
  /** In nine of ten cases before this; the same as `p50` where only declarations are known. */
  p90: string;
}

/** How far a session is by time, and when it will end. */
export interface SessionTime {
  /** Of the time that it takes as a whole; 100 once it is completed, and not before. */
  percentage: number;
  /** `null` before it is started, once it has ended, and where its end is not known. */
  finish_at: FinishAt | null;
  /** What is known of the time that is left, at best. */
  basis: "declared" | "rate" | "history";
  /** How many earlier runs of its profile were learned from. */
  runs: number;
}

/** What is known of a session besides its steps; each key is present only where a worker used it. Each reader of the session sees it. */
export interface SessionDetails {
  /** Its name for people. */
  title?: string;
  /** Texts by which it is found. */
  labels?: Record<string, string>;
  /** Its results, and pages about it. */
  links?: Link[];
  /** Steps are added while it runs, and only `finish` completes it. */
  open_ended?: true;
  /** Why it failed, where it was finished as a whole. */
  error?: string;
  /** What ended it, beyond its status. */
  conclusion?: "cancelled" | "lost";
  /** How far it is by time, and when it will end: present only while that is known of each step that is left. */
  time?: SessionTime;
  /** What readers may ask of its worker. */
  accepts?: ("cancel" | "retry")[];
  /** What they asked, the newest first; the newest ten are kept. */
  requests?: SessionRequest[];
  /** Its worker has written lines into its log. */
  log?: true;
  /** It does not exist, and existed within the last day. */
  gone?: true;
}

/** A session without its steps. */
export interface SessionSummary extends SessionDetails {
  session_id: string;
  /** The step that was started last; 0 before the first. */
  current_step: number;
  total_steps: number;
  status: "pending" | "running" | "completed" | "error";
  percentage: number;
  /** Milliseconds that the steps after the current one are expected to take. */
  estimated_remaining_ms: number;
}

/** A session in a list, which does not show what readers asked. */
export interface ListedSession extends SessionSummary {
  /** How many steps are done, those that run as far as reported; present only where a step failed. */
  steps_done?: number;
  created_at: string;
  updated_at: string;
  /** Of a stalled step, else of a running one that has it. */
  liveness?: Liveness;
  /** When its last step ended; present only while it is running and none of its steps is. */
  idle_since?: string;
}

/** A session as polling shows it; `not_found`, without steps, where it does not exist. */
export interface Progress extends SessionDetails {
  session_id: string;
  current_step: number;
  total_steps: number;
  status: "pending" | "running" | "completed" | "error" | "not_found";
  /** One for each number from 1 to `total_steps`, in order. */
  steps: (StartedStep | PendingStep)[];
  percentage: number;
  estimated_remaining_ms: number;
}

/** A line of the log of a session. */
export interface LogLine {
  /** Its number, counted from 1 within the `life`. */
  n: number;
  /** When it was written. */
  at: string;
  /** The step that it is about; `null`: the session. */
  step: number | null;
  level: "debug" | "info" | "warning" | "error";
  /** Without line ends. */
  text: string;
}

/** What a step took in earlier runs of a profile. */
export interface LearnedDuration {
  /** How many runs taught it. */
  runs: number;
  /** Milliseconds that half of all runs took at most. */
  p50_ms: number;
  /** Milliseconds that nine of ten runs took at most. */
  p90_ms: number;
}

/** The definition of a step, known before it starts. */
export interface StepDefinition {
  step: number;
  name: string;
  timeout_ms: number | null;
  estimated_ms: number;
  /** Present where enough runs of the workflow, or of the session's profile, have taught it. */
  learned?: LearnedDuration;
}

/** One change by a worker; applied to the snapshot before it, it gives the snapshot after it. */
export interface StepEvent {
  step: StartedStep;
  session: SessionSummary;
}

/** One change of a session, of none of its steps and not of its status; all its keys replace those of before. */
export interface SessionEvent {
  session: SessionSummary;
}

/** A heartbeat. */
export interface Heartbeat {
  now: string;
  /** Milliseconds until the next one. */
  interval_ms: number;
}
