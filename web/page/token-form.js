import { element } from "../lib/dom.js";

const DEADLINE_MS = 10_000;

/**
 * Asks for a token where readers need one. It is pasted into a form, as browsers keep URLs.
 * The server puts it into a cookie that no script can read, and the page does not keep it.
 */
export class TokenForm {
  isUsed;
  #form = element("entrance");
  #field = /** @type {HTMLInputElement} */ (element("entrance-token"));
  #note = element("entrance-note");
  #texts;
  #onAccepted;
  #wasAccepted = false;

  /**
   * @param {Record<"token_refused" | "token_not_sent" | "token_insecure", string>} texts
   * @param {() => void} onAccepted The server has set the cookie, perhaps for another user than before.
   * @param {boolean} [isUsed] Whether a token helps after a denial; the server says so in the page.
   */
  constructor(texts, onAccepted, isUsed = isReadByToken()) {
    this.isUsed = isUsed;
    this.#texts = texts;
    this.#onAccepted = onAccepted;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit(this.#field.value.trim());
    });
  }

  /** Shows the form after a denial, unless it is shown already. */
  ask() {
    if (this.isUsed && this.#form.hidden) this.#show(this.#wasAccepted ? this.#texts.token_refused : "");
  }

  /** @param {string} token */
  async #submit(token) {
    // Without a secure context the browser would not keep the cookie, and the network could read the token.
    if (!isSecureContext) {
      this.#show(this.#texts.token_insecure);
      return;
    }
    const status = await postToken("api/cookie", token);
    this.#wasAccepted = status === 204;
    if (!this.#wasAccepted) {
      this.#show([401, 403].includes(status) ? this.#texts.token_refused : this.#texts.token_not_sent);
      return;
    }
    this.#field.value = "";
    this.#form.hidden = true;
    this.#onAccepted();
  }

  /** @param {string} note */
  #show(note) {
    this.#form.hidden = false;
    this.#note.textContent = note;
  }
}

function isReadByToken() {
  return document.querySelector('meta[name="progress-read"]')?.getAttribute("content") === "token";
}

/**
 * Returns the response's status; 0 if there was none.
 * @param {string} path Of the resource that keeps the token in a cookie.
 * @param {string} token
 */
export async function postToken(path, token) {
  // A token consists of characters that a header can contain.
  if (!/^[!-~]+$/.test(token)) return 401;
  const init = {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
  return fetch(path, init).then(
    ({ status }) => status,
    () => 0,
  );
}
