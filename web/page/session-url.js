/* The sessions in a page's URL. */

/**
 * @param {Pick<Location, "pathname" | "search">} location
 * @param {string} base The page's base URL, where the server is mounted.
 * @returns {string[]} Empty on a page without a session.
 */
export function sessionsIn({ pathname, search }, base) {
  const folder = new URL("s/", base).pathname;
  if (pathname.startsWith(folder)) {
    // A bare % stands for itself, as on the server, which has refused escapes that are not UTF-8.
    return [decodeURIComponent(pathname.slice(folder.length).replace(/%(?![0-9a-f]{2})/gi, "%25"))];
  }
  return [...new Set(new URLSearchParams(search).getAll("session_id"))].filter(Boolean);
}

/** Whether one session is to take few lines too, as a frame has room for. @param {Pick<Location, "search">} location */
export function isCompactIn({ search }) {
  return new URLSearchParams(search).has("compact");
}

/** 60 random bits, since the id alone lets a client follow and post; in letters that are hard to confuse. */
export function freshSessionId() {
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  const random = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => letters[byte % letters.length]);
  return [0, 4, 8].map((start) => random.slice(start, start + 4).join("")).join("-");
}
