import assert from "node:assert/strict";
import test from "node:test";

test("the element's module can be imported without a document", async () => {
  assert.equal(typeof (await import("../lib/element.js")).ProgressSteps, "function");
});
