import { Browser } from "./browser.js";
import { progress, stepEvent } from "./data.js";
import { settled } from "./manual-clock.js";

export const heartbeat = () => ({ now: new Date(Date.now()).toISOString(), interval_ms: 15_000 });

/** @param {string} session_id @param {number} done */
export const snapshot = (session_id, done) => progress(done, { session_id });
/** @param {string} session_id @param {number} done */
export const step = (session_id, done) => stepEvent(done, { session_id });

export const kinds = /** @type {const} */ ([
  ["secure", { isSecure: true }],
  ["insecure", { isSecure: false }],
]);

/**
 * A browser with several tabs, all live at the first step of one job.
 * @param {{isSecure: boolean}} kind
 * @param {number} count
 */
export async function liveTabs(kind, count) {
  const browser = new Browser(kind);
  const tabs = [];
  for (let number = 0; number < count; number += 1) {
    const tab = browser.tab();
    tabs.push({ tab, ...(await tab.track("job")) });
    await browser.clock.advance(500);
    if (number === 0) browser.stream.send("snapshot", progress(1), "e-1");
    await settled();
  }
  return { browser, tabs };
}

/** @param {Browser} browser @param {string} type @param {unknown} data @param {string} [id] */
export async function send(browser, type, data, id) {
  browser.stream.send(type, data, id);
  await settled();
}
