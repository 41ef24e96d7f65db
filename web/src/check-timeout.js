import { serverClock } from "./server-clock.js";

/**
 * Takes one argument only, since pages write `steps.filter(checkTimeout)`.
 * @param {import("../lib/wire.js").Step} step
 */
export function checkTimeout(step) {
  if (step.status !== "running" || !step.started_at || !step.timeout_ms) return false;
  return Date.now() + serverClock.ahead_ms - Date.parse(step.started_at) > step.timeout_ms;
}
