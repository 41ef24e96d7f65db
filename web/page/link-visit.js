import { element } from "../lib/dom.js";
import { postToken } from "./token-form.js";

/** The pauses before a token is sent again that may not have arrived; the last one repeats. */
const PAUSES_MS = [1000, 2000, 5000, 15_000];
/** These answers are final; any other may be another one soon. */
const REFUSALS = [401, 403, 422];
/** A server that has no tokens, or has a function in their place. */
const WITHOUT_TOKENS = [404, 405];

/**
 * Whether the page follows its session by a link or by the visitor's own token. Both are cookies, and each request goes
 * by one of them. The entry of the history keeps which, so that a page that is loaded again goes by the same.
 */
export class LinkVisit {
  isByLink = history.state?.byLink === true;
  #sessionId;
  #texts;
  #note = element("link-note");
  #hasTriedOther = false;

  /**
   * @param {string | null} sessionId Null on a page of several sessions, which no link opens.
   * @param {Record<"link_expired" | "token_insecure", string>} texts
   */
  constructor(sessionId, texts) {
    this.#sessionId = sessionId;
    this.#texts = texts;
    if (sessionId === null) this.isByLink = false;
  }

  /** Exchanges the token of a link for a cookie, however long that takes. @param {string} token */
  async open(token) {
    if (!token || this.#sessionId === null) return;
    this.#say("");
    // As for a pasted token: the browser would not keep the cookie, and the network could read the token.
    const status = isSecureContext ? await this.#send(token) : 0;
    const isRefused = !WITHOUT_TOKENS.includes(status) && status !== 204;
    if (isRefused) this.#say(status ? this.#texts.link_expired : this.#texts.token_insecure);
    this.#setByLink(status === 204);
    this.#hasTriedOther = false;
  }

  /** Returns the status of the final answer. @param {string} token */
  async #send(token) {
    const path = `api/progress/${encodeURIComponent(this.#sessionId ?? "")}/link`;
    for (let sent = 0; ; sent++) {
      const status = await postToken(path, token);
      if ([204, ...REFUSALS, ...WITHOUT_TOKENS].includes(status)) return status;
      await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[Math.min(sent, PAUSES_MS.length - 1)]));
    }
  }

  /** Returns whether the page shall try again: the visitor may have come by the other way before. */
  onDenied() {
    if (history.state?.byLink) this.#say(this.#texts.link_expired);
    if (this.#hasTriedOther || this.#sessionId === null) return false;
    this.#hasTriedOther = true;
    this.isByLink = !this.isByLink;
    return true;
  }

  /** The visitor has given a token of their own. */
  useOwnToken() {
    this.#say("");
    this.#setByLink(false);
    this.#hasTriedOther = true;
  }

  /** @param {boolean} isByLink */
  #setByLink(isByLink) {
    this.isByLink = isByLink;
    history.replaceState({ byLink: isByLink }, "");
  }

  /** @param {string} text */
  #say(text) {
    this.#note.hidden = !text;
    this.#note.textContent = text;
  }
}
