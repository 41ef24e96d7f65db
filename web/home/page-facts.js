/* What the server has written into the page for its visitor. */

/** @param {string} name @param {Document} [page] */
export function factOf(name, page = document) {
  return page.querySelector(`meta[name="progress-${name}"]`)?.getAttribute("content") ?? "";
}

/**
 * The prefixes of the sessions that the visitor may list; "" is that of all. Browsers keep the cookie back from a visit
 * that begins at another site, and so the page is asked once more from here.
 * @returns {Promise<string[]>}
 */
export async function listablePrefixes() {
  const told = JSON.parse(factOf("list"));
  if (told.length || factOf("tokens") !== "taken") return told;
  const page = await loadHome();
  return page ? JSON.parse(factOf("list", page) || "[]") : [];
}

/**
 * The home page, with the facts for this visitor. By XMLHttpRequest, since a policy on Trusted Types lets no script
 * parse a page.
 * @returns {Promise<Document | null>}
 */
export function loadHome() {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", document.baseURI);
    request.responseType = "document";
    request.addEventListener("loadend", () => resolve(request.responseXML));
    request.send();
  });
}
