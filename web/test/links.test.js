import assert from "node:assert/strict";
import test from "node:test";

import { fitLinks } from "../lib/links.js";

/** @param {...string} urls */
const kept = (...urls) => fitLinks({ links: urls.map((url) => ({ label: "x", url })) }).map(({ url }) => url);

test("web addresses and paths of the page's host are links", () => {
  const urls = ["https://example.com/a?b#c", "HTTP://example.com", "/reports/1", "/"];
  assert.deepEqual(kept(...urls), urls);
  assert.deepEqual(fitLinks({}), []);
});

for (const url of [
  "javascript:alert(1)",
  " javascript:alert(1)",
  "data:text/html,x",
  "//example.com",
  "/\\example.com",
  "/\t/example.com",
  "https://user:word@example.com",
  "https://user@example.com",
  "https://example.com/\n",
  "https://example.com/\u202e",
  "https://",
  "https:example.com",
  "ftp://example.com",
  "report.html",
  "",
]) {
  test(`${JSON.stringify(url)} is no link`, () => assert.deepEqual(kept(url), []));
}
