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
  assert.equal(made.text, "s0 has failed, Import is done, 2 started");
  made.clear();
  assert.equal(made.text, "");
});

test("older sessions that join the list are no news, nor is another list", () => {
  const made = news();
  made.add([listed(1), listed(2, { status: "pending" }), listed(3)]);
  assert.equal(made.text, "");
  made.forget();
  made.add([listed(0), listed(1, { status: "error" })]);
  assert.equal(made.text, "");
});

test("a retry is no news", () => {
  const made = news();
  made.add([listed(1, { status: "error" }), listed(2, { status: "pending" })]);
  made.clear();
  made.add([listed(1), listed(2, { status: "pending" })]);
  assert.equal(made.text, "");
});
