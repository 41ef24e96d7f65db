/* tracker.js as a module. It also runs as a plain script and so exports nothing itself. */
import "./tracker.js";

export const { ProgressTracker, checkTimeout } = globalThis;

// tracker.js does not know its own address when it is imported.
ProgressTracker.baseUrl ||= import.meta.url?.match(/^(https?:.*)\/web\/index\.js(?:[?#]|$)/)?.[1] ?? "";
