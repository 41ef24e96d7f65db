/** @typedef {() => string | Promise<string>} TokenFunction */

/** The relay of each token function. @type {WeakMap<TokenFunction, TokenRelay>} */
const relays = new WeakMap();

/** @param {TokenFunction} token */
export function relayOf(token) {
  return relays.get(token) ?? new TokenRelay(token);
}

/**
 * Stands for a page's token function, also after the page has replaced it. Frameworks set a new function each time that
 * they render, which must not restart the trackers.
 */
class TokenRelay {
  #current;

  /** @param {TokenFunction} token */
  constructor(token) {
    this.#current = token;
    relays.set(token, this);
  }

  /** Calls the newest function. @type {TokenFunction} */
  call = () => this.#current();

  /** @param {TokenFunction} token */
  replaceBy(token) {
    this.#current = token;
    relays.set(token, this);
  }
}
