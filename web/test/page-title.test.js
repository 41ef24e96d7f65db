import assert from "node:assert/strict";
import test from "node:test";

import { combined, titleOf, titleOfMany } from "../lib/page-title.js";
import { absent, after, done, openSession, session } from "./fakes/sessions.js";

test("the title begins with the percentage or a mark", () => {
  const name = "原稿\u202e生\u2069成";
  const running = session([{ name }], { percentage: 43 });
  assert.equal(titleOf(after([0, running]), "job"), "43% 原稿生成 – job");
  assert.equal(titleOf(after([0, session([])]), "job"), "0% – job");
  assert.equal(titleOf(after([0, absent]), "job"), "… – job");
  assert.equal(titleOf(after([0, running], [1, absent]), "job"), "⊘ – job", "it was deleted");
  assert.equal(titleOf(after([0, { ...running, title: "\u202ePhotos" }]), "job"), "43% 原稿生成 – Photos");
  assert.equal(titleOf(after([0, session([{}], { status: "completed" })]), "job"), "✓ – job");
  assert.equal(titleOf(after([0, session([{}], { status: "error" })]), "job"), "✗ – job");
  const cancelled = session([{}], { status: "error", conclusion: "cancelled" });
  assert.equal(titleOf(after([0, cancelled]), "job"), "⊘ – job");
});

test("the title names no step that is done, and has no percentage where none is known", () => {
  assert.equal(titleOf(after([0, session([done(1)])]), "job"), "33% – job");
  assert.equal(titleOf(after([0, openSession([done(1), {}])]), "job"), "STEP2 – job");
  assert.equal(titleOf(after([0, openSession([done(1)])]), "job"), "job");
  const states = [after([0, openSession([{}])]), after([0, session([done(1)])])];
  assert.equal(titleOfMany(states, 2, "2 jobs"), "2 jobs");
});

test("the title of several jobs shows a failure, or their common percentage", () => {
  const running = after([0, session([{}], { percentage: 41 })]);
  const completed = after([0, session([{}], { status: "completed", percentage: 100 })]);
  const failed = after([0, session([{}], { status: "error", percentage: 100 })]);
  assert.equal(titleOfMany([running, completed], 2, "2 jobs"), "70% – 2 jobs");
  assert.equal(titleOfMany([running, failed], 2, "2 jobs"), "✗ – 2 jobs");
  assert.deepEqual(combined([completed, completed], 2), { status: "completed", percentage: 100 });
  const cancelled = after([0, session([{}], { status: "error", conclusion: "cancelled", percentage: 100 })]);
  assert.equal(combined([cancelled, failed], 2).status, "error");
  assert.equal(combined([cancelled, completed], 2).status, "cancelled");
  assert.equal(combined([cancelled, running], 2).status, "running");
  assert.deepEqual(combined([completed], 2), { status: "running", percentage: 50 }, "the other job has no data");
});
