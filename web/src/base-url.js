/** The server's address, from the address of this script. A module has no currentScript: index.js sets it there. */
export function baseUrlOfScript() {
  const script = globalThis.document?.currentScript;
  // An injected <img name="currentScript"> would name an attacker's server, which would be sent the tokens.
  const address = script && script instanceof HTMLScriptElement ? script.src : "";
  return address.match(/^(.*)\/web\/tracker\.js(?:[?#]|$)/)?.[1] ?? "";
}

/** One spelling for each server, however a page writes its address. @param {string} baseUrl */
export function absoluteUrl(baseUrl) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  const folder = `${baseUrl.replace(/\/+$/, "")}/`;
  return URL.canParse?.(folder, base) ? new URL(folder, base).href.slice(0, -1) : baseUrl;
}
