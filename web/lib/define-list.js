/* Registers <progress-list>. Load it by <script type="module" src="/web/define-list.js"></script>. */
import { ProgressList } from "./list-element.js";

// A server that renders pages can import this file too: it has no registry.
const registry = globalThis.customElements;
if (registry && !registry.get("progress-list")) registry.define("progress-list", ProgressList);
