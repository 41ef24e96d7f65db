/* The commands that the page offers: what a worker would send, as a line for the shell. */

/**
 * The address that a session's worker POSTs to.
 * @param {string} base Of the page, with a slash at its end.
 * @param {string} sessionId
 */
export function updateUrl(base, sessionId) {
  // encodeURIComponent lets !'()* pass, which mean something to shells.
  const encoded = encodeURIComponent(sessionId).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return new URL(`api/progress/${encoded}/update`, base).href;
}

/**
 * The parts of one command, which blanks join; a narrow page may wrap between them.
 * @param {string} url
 * @param {object} update
 * @param {boolean} needsToken The token itself stays in the reader's environment.
 * @returns {string[]}
 */
export function curlParts(url, update, needsToken) {
  return [
    `curl -X POST ${quoted(url)}`,
    ...(needsToken ? ['-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"'] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quoted(JSON.stringify(update))}`,
  ];
}

/**
 * One word for a POSIX shell, whatever it contains.
 * @param {string} word
 */
export function quoted(word) {
  return /^[\w./:%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
