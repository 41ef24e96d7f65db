import { needsOwnSteps } from "./time-left.js";
import { learnedFrom } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./usual-times.js").KnownSteps} KnownSteps */
/** @typedef {import("./wire.js").ProgressTracker} ProgressTracker */

/**
 * Asks the server for what no session's data tells: once for what its own steps take, and once for each run for what
 * earlier runs took.
 */
export class StepTimes {
  #onKnown;
  /** @type {Set<"own" | number>} */
  #asked = new Set();
  #run = 0;

  /** @param {(known: Partial<KnownSteps>) => void} onKnown */
  constructor(onKnown) {
    this.#onKnown = onKnown;
  }

  /** @param {SessionState} state @param {ProgressTracker} tracker @param {AbortSignal} signal */
  update(state, tracker, signal) {
    this.#run = state.run;
    if (needsOwnSteps(state)) {
      void this.#ask("own", signal, async () => ({ own: await tracker.serverSteps({ signal }) }));
    }
    if (state.data.time?.basis === "history") {
      void this.#ask(state.run, signal, async () => ({ learned: learnedFrom(await tracker.steps({ signal })) }));
    }
  }

  /** @param {"own" | number} what Or the run. @param {AbortSignal} signal @param {() => Promise<Partial<KnownSteps>>} ask */
  async #ask(what, signal, ask) {
    if (this.#asked.has(what)) return;
    this.#asked.add(what);
    try {
      const known = await ask();
      if (what === "own" || what === this.#run) this.#onKnown(known);
    } catch {
      // The page has no such time then.
      if (signal.aborted) this.#asked.delete(what);
    }
  }
}
