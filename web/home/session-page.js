/** The address of a session's page. @param {string} id */
export function pageOf(id) {
  return new URL(`s/${encodeURIComponent(id)}`, document.baseURI).href;
}
