/*
 * What there is to say of a session: pure functions of what is known and of the server's time, `now_ms`. No DOM.
 * The wire tells the state, not how it came about; what has to be kept of the past for that is a Memory.
 */

/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").Step} Step */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./language.js").Values} Values */
/** @typedef {{total_steps: number, steps: {step: number, name: string, estimated_ms: number}[]}} Definitions */

/**
 * @typedef {object} Memory
 * @property {Progress} data
 * @property {string} json Of the data: what tells whether an update is one.
 * @property {number} percentage As shown: it falls only when a step is retried.
 * @property {number} retried The step that is being tried again; 0: none.
 * @property {boolean} isSetBack The bar has fallen for that.
 * @property {number} heard_ms When the worker was last heard of.
 * @property {number} seen_ms When the data were last known to be current.
 * @property {number} leastLeft_ms The least time left that was shown since the last retry.
 * @property {ReadonlyMap<number, number>} remaining_ms What `estimated_remaining_ms` is while a step is the current one.
 */

/** A worker that says nothing for this long may be dead. */
export const SILENCE_MS = 30_000;
const MILESTONE_PERCENT = 25;

/**
 * @param {Memory | null} before
 * @param {Progress} data Known to be current.
 * @param {number} now_ms
 * @returns {Memory}
 */
export function remember(before, data, now_ms) {
  const json = JSON.stringify(data);
  if (!before || isAnotherRun(before.data, data)) return firstMemory(data, json, now_ms);
  const leastLeft_ms = Math.min(before.leastLeft_ms, estimatedLeft_ms(before, now_ms));
  if (json === before.json) return { ...before, seen_ms: now_ms, leastLeft_ms };
  const retried = retriedStep(before.data, data);
  const percentage = honestPercentage(data);
  const isRunning = (/** @type {number} */ step) => data.steps[step - 1]?.status === "running";
  const isAnew = isRunning(retried); // Else it was tried again, and has ended, between two looks.
  const isRetrying = isAnew || isRunning(before.retried);
  return {
    data,
    json,
    percentage: retried ? percentage : Math.max(percentage, before.percentage),
    retried: isRetrying ? (isAnew ? retried : before.retried) : 0,
    isSetBack: isAnew ? percentage < before.percentage : isRetrying && before.isSetBack,
    heard_ms: heard_ms(before, data, now_ms),
    seen_ms: now_ms,
    leastLeft_ms: retried ? Infinity : leastLeft_ms,
    remaining_ms: new Map([...before.remaining_ms, [data.current_step, data.estimated_remaining_ms]]),
  };
}

/** @param {Progress} data @param {string} json @param {number} now_ms @returns {Memory} */
function firstMemory(data, json, now_ms) {
  const isReporting = data.steps.some((step) => step.status === "running" && step.progress);
  return {
    data,
    json,
    percentage: honestPercentage(data),
    retried: 0,
    isSetBack: false,
    heard_ms: isReporting ? now_ms : lastTransition_ms(data) || now_ms,
    seen_ms: now_ms,
    leastLeft_ms: Infinity,
    remaining_ms: new Map([[data.current_step, data.estimated_remaining_ms]]),
  };
}

/**
 * It happened between two looks; a transition says when, a report of progress does not.
 * @param {Memory} before
 * @param {Progress} data
 * @param {number} now_ms
 */
function heard_ms(before, data, now_ms) {
  const last_ms = lastTransition_ms(data);
  const isTold = last_ms > lastTransition_ms(before.data);
  return isTold ? Math.min(now_ms, Math.max(before.seen_ms, last_ms)) : now_ms;
}

/** A session that was replaced, or is there at last. @param {Progress} before @param {Progress} data */
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

/** A last step whose last row is read has still to end. @param {Progress} data */
function honestPercentage({ status, percentage }) {
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
 * From its first step's start to its last one's end.
 * @param {Progress} data
 */
export function took_ms(data) {
  const starts = data.steps.map((step) => Date.parse(startedAt(step) ?? "")).filter(Number.isFinite);
  return starts.length ? Math.max(0, lastTransition_ms(data) - Math.min(...starts)) : 0;
}

/** @param {Memory} memory @returns {Step | undefined} The current step, if it runs. */
function runningStep({ data }) {
  const step = data.steps[data.current_step - 1];
  return data.status === "running" && step?.status === "running" ? step : undefined;
}

/** @param {Memory} memory @param {number} step @returns {number} NaN: not known. */
function estimate_ms({ remaining_ms }, step) {
  return (remaining_ms.get(step - 1) ?? NaN) - (remaining_ms.get(step) ?? NaN);
}

/** @param {Memory} memory @param {number} now_ms @returns {number} Infinity: not known. */
function estimatedLeft_ms(memory, now_ms) {
  const step = runningStep(memory);
  const left_ms = step ? Math.max(0, estimate_ms(memory, step.step) - elapsed_ms(step, now_ms)) : 0;
  return Number.isNaN(left_ms) ? Infinity : memory.data.estimated_remaining_ms + left_ms;
}

/**
 * Never grows while nothing is retried.
 * @param {Memory} memory
 * @param {number} now_ms
 * @returns {number | "longer" | null} `longer`: the step is past its estimate, and nobody knows. null: nothing to say.
 */
export function timeLeft(memory, now_ms) {
  if (memory.data.status !== "running") return null;
  const step = runningStep(memory);
  if (step && elapsed_ms(step, now_ms) > estimate_ms(memory, step.step)) return "longer";
  const left_ms = Math.min(memory.leastLeft_ms, estimatedLeft_ms(memory, now_ms));
  return left_ms > 0 && left_ms < Infinity ? left_ms : null;
}

/** Whether the step definitions would tell what a page that was opened midway has not seen. @param {Memory} memory */
export function needsDefinitions(memory) {
  const step = runningStep(memory);
  return step !== undefined && Number.isNaN(estimate_ms(memory, step.step));
}

/**
 * @param {Memory} memory
 * @param {Definitions} definitions The server's own: the session may have been created with others.
 * @returns {Memory}
 */
export function withDefinitions(memory, { total_steps, steps }) {
  const { data } = memory;
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
  return fit ? { ...memory, remaining_ms } : memory;
}

/**
 * For how long nothing was heard of a worker that should say something; null: not too long.
 * @param {Memory} memory
 * @param {number} now_ms
 */
export function silence_ms({ data, heard_ms }, now_ms) {
  const silent_ms = now_ms - heard_ms;
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

/** That a step is being tried again, if one is. @param {Memory} memory @returns {{key: TextKey, values: Values} | null} */
export function retryOf({ retried, isSetBack }) {
  return retried ? { key: isSetBack ? "set_back" : "retried", values: { step: retried } } : null;
}

/**
 * What has happened since, if it is worth saying aloud. A failure has an alert of its own.
 * @param {Memory} before
 * @param {Memory} memory
 * @returns {{key: TextKey, values: Values} | null}
 */
export function milestoneOf(before, memory) {
  const { data, percentage, retried } = memory;
  if (retried && retried !== before.retried) return retryOf(memory);
  const isNews = data.status !== before.data.status || data.current_step !== before.data.current_step;
  if (data.status === "completed" ? data.status !== before.data.status : data.status === "running" && isNews) {
    return headlineOf(data);
  }
  const quarter = Math.floor(percentage / MILESTONE_PERCENT);
  const isFurther = data.status === "running" && quarter > Math.floor(before.percentage / MILESTONE_PERCENT);
  return isFurther ? { key: "milestone", values: { percentage: quarter * MILESTONE_PERCENT } } : null;
}

const MARKS = { completed: "✓", error: "✗", not_found: "…", pending: "0%", running: "" };

/**
 * The title of a page with one job: what it stands at comes first, since tabs are narrow.
 * @param {Memory} memory
 * @param {string} title
 */
export function titleOf({ data, percentage }, title) {
  const mark = MARKS[data.status] || `${percentage}%`;
  const name = data.status === "running" ? headlineOf(data).values.name : "";
  return withoutDirections(`${[mark, name].filter(Boolean).join(" ")} – ${title}`);
}

/**
 * The same for several jobs: one that failed, else how far they are together.
 * @param {Memory[]} memories
 * @param {number} count
 * @param {string} title
 */
export function titleOfMany(memories, count, title) {
  const { status, percentage } = together(memories, count);
  return `${status === "running" ? `${percentage}%` : MARKS[status]} – ${title}`;
}

/**
 * @param {Memory[]} memories
 * @param {number} count Jobs; one of which nothing is known counts as one that has not begun.
 * @returns {{status: Progress["status"], percentage: number}}
 */
export function together(memories, count) {
  /** @type {Progress["status"][]} */
  const statuses = memories.map(({ data }) => data.status);
  if (memories.length < count) statuses.push("not_found");
  const percentage = Math.floor(memories.reduce((sum, memory) => sum + memory.percentage, 0) / count);
  if (statuses.includes("error")) return { status: "error", percentage };
  const [first = "not_found"] = statuses;
  return { status: statuses.every((status) => status === first) ? first : "running", percentage };
}

/** A title has no <bdi>: what turns its neighbours round is left out. @param {string} text */
function withoutDirections(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
