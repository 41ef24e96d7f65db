/* A request of a worker as a curl command. */

/** @typedef {{method: "POST" | "PUT", url: string, body: object}} WorkerRequest */

/**
 * The URL of a session.
 * @param {string} base Of the page, with a slash at its end.
 * @param {string} sessionId
 */
export function sessionUrl(base, sessionId) {
  // encodeURIComponent leaves !'()* as they are, which are special to shells.
  const encoded = encodeURIComponent(sessionId).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return new URL(`api/progress/${encoded}`, base).href;
}

/**
 * The parts of one command, to be joined by blanks. A narrow page wraps between them.
 * @param {WorkerRequest} request
 * @param {boolean} needsToken The token is read from the environment.
 * @returns {string[]}
 */
export function curlParts({ method, url, body }, needsToken) {
  return [
    `curl -X ${method} ${quoted(url)}`,
    ...(needsToken ? ['-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"'] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quoted(JSON.stringify(body))}`,
  ];
}

/**
 * One word for a POSIX shell, quoted if necessary.
 * @param {string} word
 */
export function quoted(word) {
  return /^[\w./:%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
