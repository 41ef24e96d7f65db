import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import test from "node:test";
import { promisify } from "node:util";
import { LANGUAGES, nextMove, requestFor } from "../page/commands.js";
import { sessionUrl } from "../page/curl.js";

const run = promisify(execFile);

const PATH = "/jobs/api/progress/it%27s%20%221%22%20%E5%8E%9F";
const TEXTS = { sample_steps: 'Get, 原稿\'s "copy"' };
/** @type {[import("../page/commands.js").Move, string, string, object][]} */
const MOVES = [
  [{ action: "create", step: 0 }, "PUT", PATH, { steps: ["Get", '原稿\'s "copy"'] }],
  [{ action: "complete", step: 3 }, "POST", `${PATH}/update`, { action: "complete", step: 3 }],
];

/** The ways to run a copied command. @type {Record<keyof typeof LANGUAGES, [string, string][]>} */
const RUNNERS = {
  curl: [["sh", "-c"]],
  Python: [["python3", "-c"]],
  JavaScript: [
    ["node", "-e"],
    ["node", "--input-type=module -e"],
  ],
};

/** Records the requests of one client. @param {(url: string) => Promise<string>} visit */
async function received(visit) {
  /** @type {Record<string, unknown>[]} */
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const { method, url, headers } = request;
    const body = JSON.parse((await request.toArray()).join(""));
    requests.push({ method, url, type: headers["content-type"], authorization: headers.authorization, body });
    response.end('{"success":true}');
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  try {
    return { printed: await visit(`http://127.0.0.1:${port}/jobs/`), requests };
  } finally {
    server.close();
  }
}

for (const [name, language] of Object.entries(LANGUAGES)) {
  for (const [program, options] of RUNNERS[/** @type {keyof typeof LANGUAGES} */ (name)]) {
    for (const [move, method, url, body] of MOVES) {
      const needsToken = method === "POST";
      const does = `${method}s${needsToken ? ", with the token" : ""}`;
      test(`${name} by ${program} ${options} ${does}`, async () => {
        const { printed, requests } = await received(async (base) => {
          const request = requestFor(move, sessionUrl(base, 'it\'s "1" 原'), TEXTS);
          const text = language.parts(request, needsToken).join(language.joint);
          const env = { ...process.env, PROGRESS_SSE_TOKEN: "hush" };
          const { stdout } = await run(program, [...options.split(" "), text], { env });
          return stdout.trim();
        });
        assert.equal(printed, '{"success":true}');
        const authorization = needsToken ? "Bearer hush" : undefined;
        assert.deepEqual(requests, [{ method, url, type: "application/json", authorization, body }]);
      });
    }
  }
}

for (const [statuses, action, step] of /** @type {[string, string, number][]} */ ([
  ["", "create", 0],
  ["pending pending", "start", 1],
  ["running pending", "complete", 1],
  ["success pending", "start", 2],
  ["success error", "start", 2],
  ["success running", "complete", 2],
])) {
  test(`after ${statuses || "nothing"} the next move is to ${action} step ${step}`, () => {
    const steps = statuses
      .split(" ")
      .filter(Boolean)
      .map((status, index) => ({ status, step: index + 1 }));
    const data = { status: statuses ? "running" : "not_found", steps };
    assert.deepEqual(nextMove(/** @type {import("../lib/wire.js").Progress} */ (/** @type {unknown} */ (data))), {
      action,
      step,
    });
  });
}
