/* The request that a session's worker would send next, in several languages. */
import { curlParts } from "./curl.js";

/**
 * @typedef {import("../lib/wire.js").Progress} Progress
 * @typedef {import("./curl.js").WorkerRequest} WorkerRequest
 * @typedef {{action: "create" | "start" | "complete", step: number}} Move
 * @typedef {{parts: (request: WorkerRequest, needsToken: boolean) => string[], joint: string}} CommandLanguage
 */

/**
 * A program for any Python, which runs as a file and line by line. The body is a literal there, as in JavaScript.
 * @type {CommandLanguage["parts"]}
 */
function pythonLines({ method, url, body }, needsToken) {
  return [
    "import json",
    ...(needsToken ? ["import os"] : []),
    "from urllib.request import Request, urlopen",
    "",
    `body = ${JSON.stringify(body)}`,
    'headers = {"Content-Type": "application/json"}',
    ...(needsToken ? ['headers["Authorization"] = "Bearer " + os.environ["PROGRESS_SSE_TOKEN"]'] : []),
    `request = Request("${url}", json.dumps(body).encode(), headers, method="${method}")`,
    "print(urlopen(request).read().decode())",
  ];
}

/**
 * A program for Node 20. It awaits nothing, so it runs as a module, as a script and at the prompt.
 * @type {CommandLanguage["parts"]}
 */
function javascriptLines({ method, url, body }, needsToken) {
  return [
    `fetch("${url}", {`,
    `  method: "${method}",`,
    "  headers: {",
    '    "Content-Type": "application/json",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is part of the program.
    ...(needsToken ? ["    Authorization: `Bearer ${process.env.PROGRESS_SSE_TOKEN}`,"] : []),
    "  },",
    `  body: JSON.stringify(${JSON.stringify(body)}),`,
    "})",
    "  .then((response) => response.text())",
    "  .then(console.log);",
  ];
}

/**
 * Ways to send a request. The joint stands between the parts, and a narrow page wraps there first.
 * @type {Readonly<Record<"curl" | "Python" | "JavaScript", CommandLanguage>>}
 */
export const LANGUAGES = {
  curl: { parts: curlParts, joint: " " },
  Python: { parts: pythonLines, joint: "\n" },
  JavaScript: { parts: javascriptLines, joint: "\n" },
};

/**
 * What a worker would do next: create the session, complete the running step, or start the first step that is not done.
 * @param {Pick<Progress, "status" | "steps">} data
 * @returns {Move}
 */
export function nextMove({ status, steps }) {
  if (status === "not_found") return { action: "create", step: 0 };
  const next = steps.find((step) => step.status !== "success");
  return { action: next?.status === "running" ? "complete" : "start", step: next?.step ?? 1 };
}

/**
 * @param {Move} move
 * @param {string} url Of the session.
 * @param {{sample_steps: string}} texts The names of the steps of a new session.
 * @returns {WorkerRequest}
 */
export function requestFor({ action, step }, url, { sample_steps }) {
  if (action === "create") return { method: "PUT", url, body: { steps: sample_steps.split(", ") } };
  return { method: "POST", url: `${url}/update`, body: { action, step } };
}
