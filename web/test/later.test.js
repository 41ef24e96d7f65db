import assert from "node:assert/strict";
import test from "node:test";
import { Later } from "../lib/later.js";

test("a part is loaded once, and again after a failure", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {string[]} */
  const shown = [];
  const answers = [Promise.reject(new Error("away")), Promise.resolve("part")];
  const later = new Later(
    () => answers.shift() ?? assert.fail("loaded twice"),
    (part) => shown.push(part),
  );
  await later.need();
  await later.need();
  assert.deepEqual([later.part, answers.length], [null, 1]);
  context.mock.timers.tick(10_000);
  await Promise.all([later.need(), later.need()]);
  await later.need();
  assert.deepEqual([later.part, shown], ["part", ["part"]]);
});
