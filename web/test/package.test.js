import assert from "node:assert/strict";
import test from "node:test";

import * as index from "../lib/index.js";

test("index.js exports what the package's types declare", () => {
  /** @type {typeof import("../lib/types.js")} */
  const declared = index; // checked by tsc
  assert.deepEqual(Object.keys(declared).sort(), ["ProgressTracker", "checkTimeout"]);
});
