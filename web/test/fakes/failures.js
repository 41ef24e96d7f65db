/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./page.js").Page} Page */

/** Fails the stream three times, a second apart, after which trackers poll. @param {Page | Browser} page */
export async function interruptThrice(page) {
  page.stream.interrupt();
  for (const wait_ms of [1000, 1000]) {
    await page.clock.advance(wait_ms);
    page.stream.interrupt();
  }
}
