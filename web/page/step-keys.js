/* Moves the focus from step to step, over all sessions of the page. */
import { focusStep } from "../lib/steps-head.js";

const STEPS = ".steps > li:not([hidden])";

/** @returns {HTMLElement[]} Those that can be seen: others are in a closed part of the page. */
function shownSteps() {
  const steps = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(STEPS)]);
  return steps.filter((step) => step.offsetParent !== null);
}

/** The index of the step with the focus, or in which it is; -1: none. @param {HTMLElement[]} steps */
function focusedIndex(steps) {
  return steps.findIndex((step) => step.contains(document.activeElement));
}

/** To the next step, or the one before; at first to the one that runs. @param {1 | -1} direction */
export function moveToStep(direction) {
  const steps = shownSteps();
  const focused = focusedIndex(steps);
  const running = steps.findIndex(({ dataset }) => dataset.status === "running");
  const first = Math.max(0, running);
  focusStep(steps[focused < 0 ? first : Math.min(Math.max(0, focused + direction), steps.length - 1)]);
}

/** To the next step that has failed or was cancelled; after the last, to the first. */
export function moveToFailed() {
  const steps = shownSteps();
  const focused = focusedIndex(steps);
  const failed = [...steps.keys()].filter((index) => steps[index]?.dataset.status === "error");
  focusStep(steps[failed.find((index) => index > focused) ?? failed[0] ?? -1]);
}
