/* Runs the vectors for authors of clients on this client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { ProgressTracker } from "../lib/index.js";
import { Page } from "./fakes.js";

const FOLDS = JSON.parse(readFileSync(new URL("../../tests/corpus/folds.json", import.meta.url), "utf8"));

for (const { name, snapshot, steps, folded } of FOLDS) {
  test(`fold: ${name}`, () => {
    assert.equal(JSON.stringify(steps.reduce(ProgressTracker.fold, snapshot)), JSON.stringify(folded));
  });

  test(`a streaming tracker applies it: ${name}`, () => {
    const page = new Page({ stopOnError: false });
    page.tracker.sessionId = snapshot.session_id;
    void page.tracker.start();
    page.stream.send("snapshot", snapshot, "e-0");
    for (const [index, data] of steps.entries()) {
      page.stream.send("step" in data ? "step" : "session", data, `e-${index + 1}`);
    }
    page.tracker.stop();
    assert.deepEqual(page.updates.at(-1), folded);
  });
}
