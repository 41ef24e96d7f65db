/* Runs the vectors for authors of clients on this client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { ProgressTracker } from "../lib/index.js";
import { FakeEventSource, settled } from "./fakes.js";

const FOLDS = JSON.parse(readFileSync(new URL("../../tests/corpus/folds.json", import.meta.url), "utf8"));

for (const { name, snapshot, steps, folded } of FOLDS) {
  test(`fold: ${name}`, () => {
    assert.equal(JSON.stringify(steps.reduce(ProgressTracker.fold, snapshot)), JSON.stringify(folded));
  });

  test(`a streaming tracker applies it: ${name}`, async () => {
    /** @type {FakeEventSource[]} */
    const sources = [];
    class Source extends FakeEventSource {
      /** @param {string} url @param {{withCredentials: boolean}} init */
      constructor(url, init) {
        super(url, init);
        sources.push(this);
      }
    }
    /** @type {unknown[]} */
    const updates = [];
    const tracker = new ProgressTracker(snapshot.session_id, {
      baseUrl: "http://localhost",
      EventSource: Source,
      stopOnError: false,
      onUpdate: (data) => updates.push(data),
    });
    void tracker.start();
    for (let turns = 0; !sources[0] && turns < 100; turns += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    sources[0]?.send("snapshot", snapshot, "e-0");
    for (const [index, step] of steps.entries()) sources[0]?.send("step", step, `e-${index + 1}`);
    await settled();
    tracker.stop();
    assert.deepEqual(updates.at(-1), folded);
  });
}
