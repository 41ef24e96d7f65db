import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";

import { curlParts, quoted, sessionUrl } from "../page/curl.js";

for (const [id, path] of /** @type {const} */ ([
  ["k7mq-3xwz", "k7mq-3xwz"],
  ["a b/c?d#e%20", "a%20b%2Fc%3Fd%23e%2520"],
  ["it's (!) *", "it%27s%20%28%21%29%20%2A"],
  ["原稿", "%E5%8E%9F%E7%A8%BF"],
])) {
  test(`the URL of session ${id} needs no quoting in a shell`, () => {
    assert.equal(sessionUrl("http://h:1/jobs/", id), `http://h:1/jobs/api/progress/${path}`);
  });
}

test("the command is the documented one", () => {
  const url = `${sessionUrl("http://h:1/", "job")}/update`;
  assert.equal(
    curlParts({ method: "POST", url, body: { action: "start", step: 1 } }, false).join(" "),
    `curl -X POST http://h:1/api/progress/job/update -H 'Content-Type: application/json' -d '{"action":"start","step":1}'`,
  );
});

test("the command reads the token from the environment if workers need one", () => {
  const line = curlParts({ method: "POST", url: "http://h/", body: {} }, true).join(" ");
  assert.match(line, /^curl -X POST http:\/\/h\/ -H "Authorization: Bearer \$PROGRESS_SSE_TOKEN" -H /);
});

for (const word of ["", "a b", "it's", '$HOME `id` \\ "', "http://[::1]:8000/", "~/x", "--x", '{"a":1}', "a\nb"]) {
  test(`the shell passes ${JSON.stringify(word)} on unchanged`, () => {
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" }), word);
  });
}
