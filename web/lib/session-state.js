/*
 * The texts and numbers that a page shows of a session: pure functions of its state and of the server's time, `now_ms`.
 * The server sends the present data only; SessionState also keeps the necessary facts about earlier updates. No DOM.
 */

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./language.js").Values} Values */
/** @typedef {{total_steps: number, steps: {step: number, name: string, estimated_ms: number}[]}} Definitions */

/**
 * @typedef {object} SessionState
 * @property {Progress} data
 * @property {string} json The data as JSON, which shows whether an update changes anything.
 * @property {number} percentage As shown: it falls only when a step is retried.
 * @property {number} retried The step that is being retried; 0: none.
 * @property {boolean} isSetBack The bar fell when the step was retried.
 * @property {number} reported_ms When the worker last reported.
 * @property {number} verified_ms When the data was last known to be current.
 * @property {number} leastLeft_ms The least time left that was shown since the last retry.
 * @property {ReadonlyMap<number, number>} remaining_ms By step: `estimated_remaining_ms` while it is the current one.
 */

/** A worker that reports nothing for this long may be dead. */
export const SILENCE_MS = 30_000;
const MILESTONE_PERCENT = 25;

/**
 * @param {SessionState | null} before
 * @param {Progress} data Known to be current.
 * @param {number} now_ms
 * @returns {SessionState}
 */
export function nextState(before, data, now_ms) {
  const json = JSON.stringify(data);
  if (!before || isAnotherRun(before.data, data)) return firstState(data, json, now_ms);
  const leastLeft_ms = Math.min(before.leastLeft_ms, estimatedLeft_ms(before, now_ms));
  if (json === before.json) return { ...before, verified_ms: now_ms, leastLeft_ms };
  const retried = retriedStep(before.data, data);
  const percentage = shownPercentage(data);
  const isRunning = (/** @type {number} */ step) => data.steps[step - 1]?.status === "running";
  const isRestarted = isRunning(retried); // If not, the retry began and ended between two updates.
  const isRetrying = isRestarted || isRunning(before.retried);
  return {
    data,
    json,
    percentage: retried ? percentage : Math.max(percentage, before.percentage),
    retried: isRetrying ? (isRestarted ? retried : before.retried) : 0,
    isSetBack: isRestarted ? percentage < before.percentage : isRetrying && before.isSetBack,
    reported_ms: reported_ms(before, data, now_ms),
    verified_ms: now_ms,
    leastLeft_ms: retried ? Infinity : leastLeft_ms,
    remaining_ms: new Map([...before.remaining_ms, [data.current_step, data.estimated_remaining_ms]]),
  };
}

/** @param {Progress} data @param {string} json @param {number} now_ms @returns {SessionState} */
function firstState(data, json, now_ms) {
  const isReporting = data.steps.some((step) => step.status === "running" && step.progress);
  return {
    data,
    json,
    percentage: shownPercentage(data),
    retried: 0,
    isSetBack: false,
    reported_ms: isReporting ? now_ms : lastTransition_ms(data) || now_ms,
    verified_ms: now_ms,
    leastLeft_ms: Infinity,
    remaining_ms: new Map([[data.current_step, data.estimated_remaining_ms]]),
  };
}

/**
 * The report came between two updates. A transition has its time, a report of progress has none.
 * @param {SessionState} before
 * @param {Progress} data
 * @param {number} now_ms
 */
function reported_ms(before, data, now_ms) {
  const last_ms = lastTransition_ms(data);
  const isTransition = last_ms > lastTransition_ms(before.data);
  return isTransition ? Math.min(now_ms, Math.max(before.verified_ms, last_ms)) : now_ms;
}

/** Whether the session was replaced, or has just been created. @param {Progress} before @param {Progress} data */
function isAnotherRun(before, data) {
  return (
    before.total_steps !== data.total_steps ||
    before.steps.some((step, index) => startedAt(step) && !startedAt(data.steps[index]))
  );
}

/** @param {Progress} before @param {Progress} data */
function retriedStep(before, data) {
  const retried = data.steps.find((step, index) => {
    const started = startedAt(before.steps[index]);
    return started && started !== startedAt(step);
  });
  return retried?.step ?? 0;
}

/** @param {Step | undefined} step */
function startedAt(step) {
  return step && step.status !== "pending" ? step.started_at : null;
}

/** 100 % only after the end: a last step that has counted everything has yet to complete. @param {Progress} data */
function shownPercentage({ status, percentage }) {
  return status === "running" ? Math.min(percentage, 99) : percentage;
}

/** @param {Progress} data */
function lastTransition_ms(data) {
  const times = data.steps.flatMap((step) => (step.status === "pending" ? [] : [step.started_at, step.completed_at]));
  return Math.max(0, ...times.map((time) => Date.parse(time ?? "") || 0));
}

/** @param {Step} step @param {number} now_ms */
export function elapsed_ms(step, now_ms) {
  if (step.status !== "running") return step.elapsed_ms;
  return Math.max(0, now_ms - Date.parse(step.started_at ?? "")) || 0;
}

/**
 * From the start of its first step to the end of its last one.
 * @param {Progress} data
 */
export function took_ms(data) {
  const starts = data.steps.map((step) => Date.parse(startedAt(step) ?? "")).filter(Number.isFinite);
  return starts.length ? Math.max(0, lastTransition_ms(data) - Math.min(...starts)) : 0;
}

/** @param {SessionState} state @returns {Step | undefined} The current step, if it runs. */
function runningStep({ data }) {
  const step = data.steps[data.current_step - 1];
  return data.status === "running" && step?.status === "running" ? step : undefined;
}

/** @param {SessionState} state @param {number} step @returns {number} NaN: not known. */
function estimate_ms({ remaining_ms }, step) {
  return (remaining_ms.get(step - 1) ?? NaN) - (remaining_ms.get(step) ?? NaN);
}

/** @param {SessionState} state @param {number} now_ms @returns {number} Infinity: not known. */
function estimatedLeft_ms(state, now_ms) {
  const step = runningStep(state);
  const left_ms = step ? Math.max(0, estimate_ms(state, step.step) - elapsed_ms(step, now_ms)) : 0;
  return Number.isNaN(left_ms) ? Infinity : state.data.estimated_remaining_ms + left_ms;
}

/**
 * The time left. It never grows unless a step is retried.
 * @param {SessionState} state
 * @param {number} now_ms
 * @returns {number | "longer" | null} `longer`: the step is past its estimate. null: no estimate.
 */
export function timeLeft(state, now_ms) {
  if (state.data.status !== "running") return null;
  const step = runningStep(state);
  if (step && elapsed_ms(step, now_ms) > estimate_ms(state, step.step)) return "longer";
  const left_ms = Math.min(state.leastLeft_ms, estimatedLeft_ms(state, now_ms));
  return left_ms > 0 && left_ms < Infinity ? left_ms : null;
}

/** Whether the step definitions give an estimate that a page opened midway has missed. @param {SessionState} state */
export function needsDefinitions(state) {
  const step = runningStep(state);
  return step !== undefined && Number.isNaN(estimate_ms(state, step.step));
}

/**
 * @param {SessionState} state
 * @param {Definitions} definitions The server's own; the session may have been created with others.
 * @returns {SessionState}
 */
export function withDefinitions(state, { total_steps, steps }) {
  const { data } = state;
  const remaining_ms = new Map();
  let sum_ms = 0;
  for (const { step, estimated_ms } of [...steps].reverse()) {
    remaining_ms.set(step, sum_ms);
    sum_ms += estimated_ms;
    remaining_ms.set(step - 1, sum_ms);
  }
  const fit =
    total_steps === data.total_steps &&
    remaining_ms.get(data.current_step) === data.estimated_remaining_ms &&
    data.steps.every(({ name }, index) => name === steps[index]?.name);
  return fit ? { ...state, remaining_ms } : state;
}

/**
 * For how long the worker has reported nothing, if that is too long; else null.
 * @param {SessionState} state
 * @param {number} now_ms
 */
export function silence_ms({ data, reported_ms }, now_ms) {
  const silent_ms = now_ms - reported_ms;
  return data.status === "running" && silent_ms >= SILENCE_MS ? silent_ms : null;
}

/** @param {Pick<Progress, "steps">} data */
export function failedSteps(data) {
  return data.steps.flatMap((step) => (step.status === "error" ? [step] : []));
}

/**
 * @param {Progress} data
 * @returns {{key: TextKey, values: Values}}
 */
export function headlineOf(data) {
  const step = data.status === "error" ? (failedSteps(data)[0]?.step ?? data.current_step) : data.current_step;
  return { key: data.status, values: { step, total: data.total_steps, name: data.steps[step - 1]?.name ?? "" } };
}

/**
 * The text about a retry, if there is one.
 * @param {SessionState} state
 * @returns {{key: TextKey, values: Values} | null}
 */
export function retryOf({ retried, isSetBack }) {
  return retried ? { key: isSetBack ? "set_back" : "retried", values: { step: retried } } : null;
}

/**
 * The change since `before`, if it should be announced. A failure has an alert of its own.
 * @param {SessionState} before
 * @param {SessionState} state
 * @returns {{key: TextKey, values: Values} | null}
 */
export function milestoneOf(before, state) {
  const { data, percentage, retried } = state;
  if (retried && retried !== before.retried) return retryOf(state);
  const isTransition = data.status !== before.data.status || data.current_step !== before.data.current_step;
  if (data.status === "completed" ? data.status !== before.data.status : data.status === "running" && isTransition) {
    return headlineOf(data);
  }
  const quarter = Math.floor(percentage / MILESTONE_PERCENT);
  const isFurther = data.status === "running" && quarter > Math.floor(before.percentage / MILESTONE_PERCENT);
  return isFurther ? { key: "milestone", values: { percentage: quarter * MILESTONE_PERCENT } } : null;
}

const MARKS = { completed: "✓", error: "✗", not_found: "…", pending: "0%", running: "" };

/**
 * The title of a page with one job. The percentage comes first, since tabs are narrow.
 * @param {SessionState} state
 * @param {string} title
 */
export function titleOf({ data, percentage }, title) {
  const mark = MARKS[data.status] || `${percentage}%`;
  const name = data.status === "running" ? headlineOf(data).values.name : "";
  return withoutDirections(`${[mark, name].filter(Boolean).join(" ")} – ${title}`);
}

/**
 * The title for several jobs: a failure, or else the percentage of all combined.
 * @param {SessionState[]} states
 * @param {number} count
 * @param {string} title
 */
export function titleOfMany(states, count, title) {
  const { status, percentage } = combined(states, count);
  return `${status === "running" ? `${percentage}%` : MARKS[status]} – ${title}`;
}

/**
 * @param {SessionState[]} states
 * @param {number} count Of jobs. A job without data counts as not begun.
 * @returns {{status: Progress["status"], percentage: number}}
 */
export function combined(states, count) {
  /** @type {Progress["status"][]} */
  const statuses = states.map(({ data }) => data.status);
  if (states.length < count) statuses.push("not_found");
  const percentage = Math.floor(states.reduce((sum, state) => sum + state.percentage, 0) / count);
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  return { status: statuses.every((status) => status === first) ? first : "running", percentage };
}

/** A title has no <bdi>, so characters that change the direction are removed. @param {string} text */
function withoutDirections(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
