/*
 * The token of a link, `/s/nightly#token=…`. The page imports this module before all others: the token is out of the
 * address and the history before anything else could read it there. It is kept nowhere.
 */

const TOKEN = /^#token=(.*)/;

/** Returns the token that is in the address, and takes it out; "" if there is none. */
export function takeToken() {
  const token = TOKEN.exec(location.hash)?.[1] ?? "";
  if (token) history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}

/** The token that the page was opened with. */
export const firstToken = takeToken();
