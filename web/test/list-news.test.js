/* What screen readers hear of a list. */
import assert from "node:assert/strict";
import test from "node:test";
import { Language } from "../lib/language.js";
import { ListNews } from "../lib/list-news.js";
import { listed } from "./fakes/listed.js";

const news = () => {
  const made = new ListNews(new Language("en"));
  made.add([listed(1, { title: "Import" }), listed(2, { status: "pending" })]);
  return made;
};

test("the first list is no news, and progress neither", () => {
  const made = news();
  made.add([listed(1, { percentage: 66 }), listed(2, { status: "pending" })]);
  assert.equal(made.text, "");
});

test("what began and ended since it was heard is summed up, failures first", () => {
  const made = news();
  made.add([listed(0), listed(1, { title: "Import", status: "completed" }), listed(2)]);
  made.add([listed(0, { status: "error" }), listed(1, { status: "completed" }), listed(2)]);
  assert.equal(made.text, "s0 has failed, Import has completed, 2 started");
  made.clear();
  assert.equal(made.text, "");
});

test("each end has its word, and a session that runs on is no news", () => {
  const made = news();
  const stalled = { liveness: { state: /** @type {const} */ ("stalled"), since: listed(1).created_at } };
  made.add([listed(0, { status: "error", conclusion: "lost" }), listed(1, stalled), listed(2)]);
  made.clear();
  made.add([listed(0), listed(1), listed(2, { status: "error", conclusion: "cancelled" })]);
  assert.equal(made.text, "s2 was cancelled");
  made.add([listed(0, stalled), listed(1, { status: "error", conclusion: "lost" }), listed(2)]);
  assert.equal(made.text, "s1 is lost, s0 gives no sign of life, s2 was cancelled");
});

test("older sessions that join the list are no news, nor is another list", () => {
  const made = news();
  made.add([listed(1), listed(2, { status: "pending" }), listed(3)]);
  assert.equal(made.text, "");
  made.forget();
  made.add([listed(0), listed(1, { status: "error" })]);
  assert.equal(made.text, "");
});
