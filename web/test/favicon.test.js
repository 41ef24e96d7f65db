import assert from "node:assert/strict";
import test from "node:test";
import { faviconOf } from "../page/favicon.js";

test("the icon fills with the job, and ends with a mark", () => {
  assert.ok(!faviconOf("not_found", 0).includes("dasharray"));
  assert.match(faviconOf("running", 50), /dasharray='37\.7 100'/);
  assert.ok(!faviconOf("running", 50).includes("path"));
  assert.match(faviconOf("completed", 100), /path/);
  const ends = /** @type {const} */ (["completed", "error", "cancelled"]);
  assert.equal(new Set(ends.map((end) => faviconOf(end, 100))).size, 3);
  assert.notEqual(faviconOf("running", null), faviconOf("running", 0));
  assert.ok(!/[<>#]/.test(faviconOf("error", 30)));
});
