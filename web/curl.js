/* The commands that the page offers: what a worker would send, as a line for the shell. */

/**
 * The address that a session's worker POSTs to.
 * @param {string} base Of the page, with a slash at its end.
 * @param {string} sessionId
 */
export function updateUrl(base, sessionId) {
  // encodeURIComponent lets !'()* pass, which mean something to shells.
  const encoded = encodeURIComponent(sessionId).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return new URL(`api/progress/${encoded}/update`, base).href;
}

/**
 * @param {string} url
 * @param {object} update
 * @param {boolean} needsToken The token itself stays in the reader's environment.
 */
export function curlLine(url, update, needsToken) {
  const token = needsToken ? ' -H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' : "";
  return `curl -X POST ${quoted(url)}${token} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(update))}`;
}

/**
 * One word for a POSIX shell, whatever it contains.
 * @param {string} word
 */
export function quoted(word) {
  return /^[\w./:%~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
