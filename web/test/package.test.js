import assert from "node:assert/strict";
import { access, readFile } from "node:fs/promises";
import test from "node:test";
import { useProgressList as useReactList, useProgress as useReactProgress } from "progress-sse/react";
import { useProgress as followInVue, useProgressList as followListInVue } from "progress-sse/vue";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { createSSRApp, h } from "vue";
import { renderToString as renderVueToString } from "vue/server-renderer";

import * as index from "../lib/index.js";

test("index.js exports what the package's types declare", () => {
  /** @type {typeof import("../lib/types.js")} */
  const declared = index; // checked by tsc
  assert.deepEqual(Object.keys(declared).sort(), ["ProgressListTracker", "ProgressTracker", "checkTimeout"]);
});

test("each export has its files", async () => {
  const { exports } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const files = Object.values(exports).flatMap((target) =>
    typeof target === "string" ? target : Object.values(target),
  );
  for (const file of files) await access(new URL(`../${file}`, import.meta.url));
  assert.ok(files.length > 6);
});

test("a server that renders pages can import the elements", async () => {
  assert.equal(globalThis.customElements, undefined);
  await assert.doesNotReject(import("progress-sse/progress-steps"));
  await assert.doesNotReject(import("progress-sse/progress-list"));
});

const options = { token: () => assert.fail("a server follows nothing") };

function ReactJob() {
  const { data, state } = useReactProgress("nightly", options);
  return createElement("p", {}, `${data} ${state}`);
}

const VueJob = {
  setup() {
    const { data, state } = followInVue("nightly", options);
    return () => h("p", `${data.value} ${state.value}`);
  },
};

/** @returns {import("react").ReactElement} */
function ReactJobs() {
  const { data, state } = useReactList({ labels: { team: "x" }, ...options });
  return createElement("p", null, `${data} ${state}`);
}

const VueJobs = {
  setup() {
    const { data, state } = followListInVue(options);
    return () => h("p", `${data.value} ${state.value}`);
  },
};

test("a server that renders a component follows nothing", async () => {
  assert.equal(renderToString(createElement(ReactJob)), "<p>null connecting</p>");
  assert.equal(await renderVueToString(createSSRApp(VueJob)), "<p>null connecting</p>");
  assert.equal(renderToString(createElement(ReactJobs)), "<p>null connecting</p>");
  assert.equal(await renderVueToString(createSSRApp(VueJobs)), "<p>null connecting</p>");
});
