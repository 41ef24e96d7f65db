/* The module face of tracker.js, which has to run as a plain script as well and so exports nothing itself. */
import "./tracker.js";

export const { ProgressTracker, checkTimeout } = globalThis;

// tracker.js cannot know where it was imported from.
ProgressTracker.baseUrl ||= import.meta.url.match(/^(https?:.*)\/web\/index\.js(?:[?#]|$)/)?.[1] ?? "";
