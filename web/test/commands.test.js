import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import test from "node:test";
import { promisify } from "node:util";
import { LANGUAGES, nextUpdate } from "../page/commands.js";
import { updateUrl } from "../page/curl.js";

const run = promisify(execFile);

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
    for (const needsToken of [false, true]) {
      test(`${name} by ${program} ${options} sends the update${needsToken ? ", with the token" : ""}`, async () => {
        const { printed, requests } = await received(async (base) => {
          const parts = language.parts(updateUrl(base, 'it\'s "1" 原'), { action: "complete", step: 3 }, needsToken);
          const env = { ...process.env, PROGRESS_SSE_TOKEN: "hush" };
          const { stdout } = await run(program, [...options.split(" "), parts.join(language.joint)], { env });
          return stdout.trim();
        });
        assert.equal(printed, '{"success":true}');
        assert.deepEqual(requests, [
          {
            method: "POST",
            url: "/jobs/api/progress/it%27s%20%221%22%20%E5%8E%9F/update",
            type: "application/json",
            authorization: needsToken ? "Bearer hush" : undefined,
            body: { action: "complete", step: 3 },
          },
        ]);
      });
    }
  }
}

for (const [statuses, action, step] of /** @type {[string, string, number][]} */ ([
  ["", "start", 1],
  ["pending pending", "start", 1],
  ["running pending", "complete", 1],
  ["success pending", "start", 2],
  ["success error", "start", 2],
  ["success running", "complete", 2],
])) {
  test(`after ${statuses || "nothing"} the next update is to ${action} step ${step}`, () => {
    const steps = statuses
      .split(" ")
      .filter(Boolean)
      .map((status, index) => ({ status, step: index + 1 }));
    const data = /** @type {import("../lib/wire.js").Progress} */ (/** @type {unknown} */ ({ steps }));
    assert.deepEqual(nextUpdate(data), { action, step });
  });
}
