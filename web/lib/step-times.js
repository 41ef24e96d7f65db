import { needsOwnSteps } from "./time-left.js";
import { learnedFrom } from "./usual-times.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./usual-times.js").KnownSteps} KnownSteps */
/** @typedef {import("./wire.js").ProgressTracker} ProgressTracker */

/** Asks the server for what its own steps take, and those of a profile: once each, since no session's data tells. */
export class StepTimes {
  #profile;
  #onKnown;
  /** @type {Set<string | undefined>} */
  #asked = new Set();

  /** @param {string | undefined} profile @param {(known: Partial<KnownSteps>) => void} onKnown */
  constructor(profile, onKnown) {
    this.#profile = profile;
    this.#onKnown = onKnown;
  }

  /** @param {SessionState} state @param {ProgressTracker} tracker @param {AbortSignal} signal */
  update(state, tracker, signal) {
    const profile = this.#profile;
    if (needsOwnSteps(state)) void this.#ask(undefined, tracker, signal);
    if (profile && state.data.status !== "not_found") void this.#ask(profile, tracker, signal);
  }

  /** @param {string | undefined} profile Without one, the server's own steps. @param {ProgressTracker} tracker @param {AbortSignal} signal */
  async #ask(profile, tracker, signal) {
    if (this.#asked.has(profile)) return;
    this.#asked.add(profile);
    try {
      const steps = await tracker.steps({ ...(profile && { profile }), signal });
      this.#onKnown(profile ? { learned: learnedFrom(steps) } : { own: steps });
    } catch {
      // The page has no such time then.
      if (signal.aborted) this.#asked.delete(profile);
    }
  }
}
