/* tracker.js as a module. It also runs as a plain script and so exports nothing itself. */
import "./tracker.js";

export const { ProgressTracker, ProgressListTracker, checkTimeout } = globalThis;

// tracker.js does not know its own address when it is imported. webpack replaces this condition by a constant and drops
// the other branch, in which it would write the path of the file on the build machine into the bundle.
const address = /** @type {{ webpack?: number }} */ (import.meta).webpack ? "" : import.meta.url;
ProgressTracker.baseUrl ||= address?.match(/^(https?:.*)\/web\/index\.js(?:[?#]|$)/)?.[1] ?? "";
