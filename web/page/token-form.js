/*
 * The way into a page whose readers need a token. It is pasted into a form, never part of an address: browsers keep those.
 * The server puts it into a cookie that no script sees, and nothing is kept here.
 */
import { element } from "../lib/dom.js";

const DEADLINE_MS = 10_000;

export class Entrance {
  /** Whether a token could help somebody who is denied something: the server says so. */
  #isThere = document.querySelector('meta[name="progress-read"]')?.getAttribute("content") === "token";
  #form = element("entrance");
  #field = /** @type {HTMLInputElement} */ (element("entrance-token"));
  #note = element("entrance-note");
  #texts;
  #onEnter;
  #hasEntered = false;

  /**
   * @param {Record<"token_refused" | "token_not_sent" | "token_insecure", string>} texts
   * @param {() => void} onEnter Somebody has come in, perhaps as somebody else than before.
   */
  constructor(texts, onEnter) {
    this.#texts = texts;
    this.#onEnter = onEnter;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#enter(this.#field.value.trim());
    });
  }

  /** Asks for a token, unless it does: something was denied. */
  ask() {
    if (this.#isThere && this.#form.hidden) this.#show(this.#hasEntered ? this.#texts.token_refused : "");
  }

  /** @param {string} token */
  async #enter(token) {
    // There the browser would not keep the cookie, and everybody on the way would see the token.
    if (!isSecureContext) {
      this.#show(this.#texts.token_insecure);
      return;
    }
    const status = await exchanged(token);
    this.#hasEntered = status === 204;
    if (!this.#hasEntered) {
      this.#show([401, 403].includes(status) ? this.#texts.token_refused : this.#texts.token_not_sent);
      return;
    }
    this.#field.value = "";
    this.#form.hidden = true;
    this.#onEnter();
  }

  /** @param {string} note */
  #show(note) {
    this.#form.hidden = false;
    this.#note.textContent = note;
  }
}

/** The status of the answer; 0 if there was none. @param {string} token */
async function exchanged(token) {
  // What no header can hold is no token.
  if (!/^[!-~]+$/.test(token)) return 401;
  const init = {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
  return fetch("api/cookie", init).then(
    ({ status }) => status,
    () => 0,
  );
}
