/** @typedef {import("./wire.js").SessionDetails} SessionDetails */

/** A path of the page's own host. With a second slash, or a backslash, it would name another host. */
const PATH = /^\/(?![/\\])/;
/** White space, and control and format characters. */
const UNFIT = /[\s\p{C}]/u;

/**
 * The links that a page may offer: the server accepts no others, and the page relies on its own check.
 * @param {SessionDetails} details
 */
export function fitLinks({ links = [] }) {
  return links.filter(({ url }) => isFitUrl(url));
}

/** @param {string} url */
function isFitUrl(url) {
  if (UNFIT.test(url)) return false;
  if (url.startsWith("/")) return PATH.test(url);
  if (!/^https?:\/\//i.test(url)) return false;
  try {
    const { username, password } = new URL(url);
    return !username && !password;
  } catch {
    return false;
  }
}
