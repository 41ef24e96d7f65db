/* When the rows of a list stay where they are. */
import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { ListHold } from "../lib/list-hold.js";

test("rows stay for three seconds after the last move or key, and move when the pointer leaves", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const rows = new EventTarget();
  let ends = 0;
  const hold = new ListHold(rows, () => (ends += 1));
  rows.dispatchEvent(new Event("pointerleave"));
  rows.dispatchEvent(new Event("pointermove"));
  mock.timers.tick(2999);
  rows.dispatchEvent(new Event("keydown"));
  mock.timers.tick(2999);
  assert.deepEqual([hold.isOn, ends], [true, 0]);
  mock.timers.tick(1);
  assert.deepEqual([hold.isOn, ends], [false, 1]);
  rows.dispatchEvent(new Event("pointerdown"));
  rows.dispatchEvent(new Event("pointerleave"));
  assert.deepEqual([hold.isOn, ends], [false, 2]);
  rows.dispatchEvent(new Event("pointermove"));
  hold.release();
  mock.timers.tick(9000);
  assert.deepEqual([hold.isOn, ends], [false, 2]);
  mock.timers.reset();
});
