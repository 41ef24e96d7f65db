/* What a screen reader hears of a session. */
import assert from "node:assert/strict";
import test from "node:test";

import { headlineOf } from "../lib/headline.js";
import { Language } from "../lib/language.js";
import { SessionNews } from "../lib/session-news.js";
import { movedOn } from "../lib/session-state.js";
import { after, done, MINUTE, openSession, session, T0, timedSession } from "./fakes/sessions.js";

const time = { words: "about 1 min left", isLate: false, isIdle: false };
const late = { ...time, words: "taking longer than usual", isLate: true };

const news = () => new SessionNews(new Language("en"), ({ data }) => headlineOf(data, { now_ms: T0 + MINUTE }));

test("the time is said with each quarter, also where the bar moves by itself", () => {
  const heard = news();
  const state = after([0, timedSession([done(0), done(0), {}], { percentage: 20, p50_ms: 80_000 })]);
  assert.equal(heard.next(state, time), "", "the first state is read by the visitor");
  assert.equal(heard.next(movedOn(state, T0 + 4000), time), "");
  assert.equal(heard.next(movedOn(state, T0 + 6000), time), "25 percent, about 1 min left");
  assert.equal(heard.next(movedOn(state, T0 + 7000), { ...time, words: "a few seconds left" }), "");
  assert.equal(heard.next(movedOn(state, T0 + 31_000), { ...time, words: "" }), "50 percent");
});

test("that the job takes longer than usual is said once", () => {
  const heard = news();
  const state = after([0, timedSession([{}], { p50_ms: 60_000 })]);
  assert.deepEqual(
    [time, late, late, time, late].map((each) => heard.next(state, each)),
    ["", late.words, "", "", late.words],
  );
});

test("that nothing runs is said once, and an open-ended job has no quarters", () => {
  const heard = news();
  const idle = { words: "", isLate: false, isIdle: true };
  const state = after([0, session([done(0)])]);
  assert.deepEqual(
    [idle, { ...idle, isIdle: false }, idle, idle].map((each) => heard.next(state, each)),
    ["", "", "1 of 3 steps done, nothing runs now", ""],
  );
  const open = news();
  open.next(after([0, openSession([{}, {}])]), { ...idle, isIdle: false });
  const grown = after([0, openSession([done(0), {}], { percentage: 50 })]);
  assert.equal(open.next(grown, { ...idle, isIdle: false }), "");
});

test("a step, and what is asked of the worker, are said in one go", () => {
  const heard = news();
  heard.next(after([0, session([])]), time);
  const request = { id: "r1", kind: /** @type {const} */ ("cancel"), step: null, asked_at: "" };
  const asked = session([{}], { requests: [{ ...request, state: "asked" }] });
  assert.equal(heard.next(after([0, asked]), time), "Step 1 of 3: STEP1. Cancellation requested");
});
