/** @typedef {import("../lib/progress-steps.js").ProgressSteps} ProgressSteps */

/** Opens the log of each session that an element shows, until the visitor closes one. @param {ProgressSteps} steps */
export function keepLogOpen(steps) {
  const root = /** @type {ShadowRoot} */ (steps.shadowRoot);
  let isWanted = true;
  root.addEventListener(
    "toggle",
    ({ target }) => {
      if (target instanceof HTMLDetailsElement && target.matches(".card > .log")) isWanted = target.open;
    },
    { capture: true },
  );
  steps.addEventListener("progress-update", () => {
    root.querySelector(".card > .log")?.toggleAttribute("open", isWanted);
  });
}
