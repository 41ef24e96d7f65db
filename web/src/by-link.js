/* Requests that are authorized by the cookie of a session's link, which only the paths of that session receive. */

/** The query of such a request: without it the server goes by the visitor's own token. */
export const BY_LINK = "link=1";

/** @param {typeof globalThis.fetch} fetch @returns {typeof globalThis.fetch} */
export function fetchByLink(fetch) {
  return (url, init) => fetch(`${url}${String(url).includes("?") ? "&" : "?"}${BY_LINK}`, init);
}

/** What tabs that were opened by links of the session have in common: its cookie. @param {string} sessionId */
export function rightsOfLink(sessionId) {
  return `link ${sessionId}`;
}
