import { progress } from "./data.js";
import { jitter } from "./jitter.js";
import { settled } from "./manual-clock.js";
import { Page } from "./page.js";

/** @typedef {import("./browser.js").Browser} Browser */

/** Fails the stream three times, a second apart, after which trackers poll. @param {Page | Browser} page */
export async function interruptThrice(page) {
  page.stream.interrupt();
  for (const wait_ms of [1000, 1000]) {
    await page.clock.advance(wait_ms);
    page.stream.interrupt();
  }
}

/** A page whose stream failed at `progress(1)`, with a poll in progress. */
export async function pageWithFailedStream() {
  jitter(0);
  const page = new Page({ interval: 3000 });
  void page.tracker.start();
  page.stream.send("snapshot", progress(1), "e-1");
  await interruptThrice(page);
  await settled();
  return page;
}
