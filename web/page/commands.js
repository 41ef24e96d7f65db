/* The update that a session's worker would send next, in several languages. */
import { curlParts } from "./curl.js";

/**
 * @typedef {import("../lib/wire.js").Progress} Progress
 * @typedef {{action: "start" | "complete", step: number}} Update
 * @typedef {{parts: (url: string, update: Update, needsToken: boolean) => string[], joint: string}} CommandLanguage
 */

/** The update as a literal of both Python and JavaScript. @param {Update} update */
function literal({ action, step }) {
  return `{"action": "${action}", "step": ${step}}`;
}

/**
 * A program for any Python, which runs as a file and line by line.
 * @type {CommandLanguage["parts"]}
 */
function pythonLines(url, update, needsToken) {
  return [
    "import json",
    ...(needsToken ? ["import os"] : []),
    "from urllib.request import Request, urlopen",
    "",
    `update = ${literal(update)}`,
    'headers = {"Content-Type": "application/json"}',
    ...(needsToken ? ['headers["Authorization"] = "Bearer " + os.environ["PROGRESS_SSE_TOKEN"]'] : []),
    `request = Request("${url}", json.dumps(update).encode(), headers)`,
    "print(urlopen(request).read().decode())",
  ];
}

/**
 * A program for Node 20. It awaits nothing, so it runs as a module, as a script and at the prompt.
 * @type {CommandLanguage["parts"]}
 */
function javascriptLines(url, update, needsToken) {
  return [
    `fetch("${url}", {`,
    '  method: "POST",',
    "  headers: {",
    '    "Content-Type": "application/json",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is part of the program.
    ...(needsToken ? ["    Authorization: `Bearer ${process.env.PROGRESS_SSE_TOKEN}`,"] : []),
    "  },",
    `  body: JSON.stringify(${literal(update)}),`,
    "})",
    "  .then((response) => response.text())",
    "  .then(console.log);",
  ];
}

/**
 * Ways to send an update. The joint stands between the parts, and a narrow page wraps there first.
 * @type {Readonly<Record<"curl" | "Python" | "JavaScript", CommandLanguage>>}
 */
export const LANGUAGES = {
  curl: { parts: curlParts, joint: " " },
  Python: { parts: pythonLines, joint: "\n" },
  JavaScript: { parts: javascriptLines, joint: "\n" },
};

/**
 * The next update of a worker: it completes the running step, or starts the first step that is not done.
 * @param {Progress} data
 * @returns {Update}
 */
export function nextUpdate({ steps }) {
  const next = steps.find(({ status }) => status !== "success");
  return { action: next?.status === "running" ? "complete" : "start", step: next?.step ?? 1 };
}
