/* Which sessions an address is about. */

/**
 * @param {Pick<Location, "pathname" | "search">} location
 * @param {string} base Where the server is mounted: the page's base address.
 * @returns {string[]} None: a page without a session.
 */
export function sessionsIn({ pathname, search }, base) {
  const folder = new URL("s/", base).pathname;
  if (pathname.startsWith(folder)) {
    // A bare % stands for itself, in the address bar as on the server, which has refused what is not UTF-8.
    return [decodeURIComponent(pathname.slice(folder.length).replace(/%(?![0-9a-f]{2})/gi, "%25"))];
  }
  return [...new Set(new URLSearchParams(search).getAll("session_id"))].filter(Boolean);
}

/** 60 random bits, in letters that are not taken for one another: whoever knows the id may follow, and post. */
export function freshSessionId() {
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  const random = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => letters[byte % letters.length]);
  return [0, 4, 8].map((start) => random.slice(start, start + 4).join("")).join("-");
}
