/* Sends requests with a token, and reads the rights that a token grants. */

/** @typedef {import("./types.js").Token} Token */

/** Claims that differ between two tokens of the same rights [RFC 7519 §4.1]. */
const TIME_CLAIMS = ["exp", "iat", "nbf", "jti"];

/** The last token of each token function, until the server refuses it. @type {WeakMap<object, Promise<string>>} */
const cached = new WeakMap();

/** @param {Token} token @returns {Promise<string>} */
export function tokenText(token) {
  if (typeof token === "string") return Promise.resolve(token);
  const known = cached.get(token);
  if (known) return known;
  const text = Promise.resolve().then(token);
  cached.set(token, text);
  text.catch(() => forgetToken(token, text));
  return text;
}

/**
 * Lets the function be called next time, unless another token has taken this one's place.
 * @param {Token} token
 * @param {Promise<string>} text
 */
function forgetToken(token, text) {
  if (typeof token !== "string" && cached.get(token) === text) cached.delete(token);
}

/**
 * @param {Promise<string>} text
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
function unlessAborted(text, signal) {
  return new Promise((resolve, reject) => {
    text.then(resolve, reject);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/**
 * Sends the token with a request. After a 401, a token function is called for another token, once.
 * @param {Token} token
 * @param {typeof globalThis.fetch} fetch
 * @param {string} url
 * @param {RequestInit & {signal: AbortSignal}} init
 */
export async function fetchWithToken(token, fetch, url, init) {
  const request = async () => {
    const text = tokenText(token);
    const bearer = await unlessAborted(text, init.signal).catch((error) => {
      forgetToken(token, text); // The function may never answer.
      throw error;
    });
    const headers = { ...init.headers, ...(bearer && { Authorization: `Bearer ${bearer}` }) };
    const response = await fetch(url, { ...init, headers });
    if (response.status === 401) forgetToken(token, text);
    return response;
  };
  const response = await request();
  return response.status === 401 && typeof token !== "string" ? request() : response;
}

/**
 * The rights of a token: its claims without those about time. Null if it is not a JSON Web Token.
 * @param {string} text
 */
export function rightsOf(text) {
  try {
    const [, payload = ""] = text.split(".");
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return JSON.stringify(
      Object.entries(claims)
        .filter(([name]) => !TIME_CLAIMS.includes(name))
        .sort(),
    );
  } catch {
    return null;
  }
}
