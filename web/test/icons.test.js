import assert from "node:assert/strict";
import test from "node:test";

import { iconOf } from "../lib/icons.js";

for (const [
  status,
  more,
  name,
] of /** @type {[Parameters<typeof iconOf>[0], Parameters<typeof iconOf>[1], string][]} */ ([
  ["connecting", {}, "absent"],
  ["not_found", {}, "absent"],
  ["not_found", { isDeleted: true }, "deleted"],
  ["pending", {}, "pending"],
  ["running", {}, "running"],
  ["running", { isStalled: true }, "stalled"],
  ["running", { isIdle: true }, "pending"],
  ["completed", {}, "success"],
  ["success", { conclusion: "skipped" }, "skipped"],
  ["error", {}, "error"],
  ["error", { conclusion: "cancelled" }, "cancelled"],
  ["error", { conclusion: "lost" }, "lost"],
])) {
  test(`${status} ${JSON.stringify(more)} has the icon ${name}`, () => assert.equal(iconOf(status, more), name));
}
