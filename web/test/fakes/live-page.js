import { progress } from "./data.js";
import { settled } from "./manual-clock.js";
import { Page } from "./page.js";

/** A page whose stream is live at `progress(1)`. @param {import("../../lib/wire.js").TrackerOptions} [options] */
export async function livePage(options) {
  const page = new Page(options);
  void page.tracker.start();
  page.stream.open();
  page.stream.send("snapshot", progress(1), "e-1");
  await settled();
  return page;
}
