/* Registers <progress-steps>. Load it by <script type="module" src="/web/define.js"></script>. */
import { ProgressSteps } from "./element.js";

// A server that renders pages can import this file too: it has no registry.
const registry = globalThis.customElements;
if (registry && !registry.get("progress-steps")) registry.define("progress-steps", ProgressSteps);
