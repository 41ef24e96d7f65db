/* Registers <progress-steps>. Load it by <script type="module" src="/web/define.js"></script>. */
import { ProgressSteps } from "./element.js";

if (!customElements.get("progress-steps")) customElements.define("progress-steps", ProgressSteps);
