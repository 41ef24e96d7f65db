import { ConfirmDialog } from "./confirm-dialog.js";
import { make, makeButton, nodesOf, setBusy, show } from "./dom.js";
import { canAsk, requestSentence } from "./requests.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-requests.js").SessionRequests} SessionRequests */
/** @typedef {import("./wire.js").Progress} Progress */

/** The button that cancels a job, after a question, and what became of the newest request. */
export class RequestRow {
  #element;
  #language;
  #requests;
  #button;
  #text = make("p", "request-text");
  #dialog;

  /**
   * @param {Language} language
   * @param {HTMLElement} element To be filled.
   * @param {SessionRequests} requests
   * @param {() => string} jobName
   */
  constructor(language, element, requests, jobName) {
    this.#language = language;
    this.#element = element;
    this.#requests = requests;
    this.#button = makeButton("cancel", language.text("cancel"));
    this.#dialog = new ConfirmDialog(language, () => void requests.ask("cancel"));
    this.#button.addEventListener("click", () => {
      if (!requests.sending) this.#dialog.open(jobName());
    });
    this.#text.tabIndex = -1;
    this.#text.hidden = true;
    this.#element.append(this.#button, this.#text, this.#dialog.element);
  }

  /** @param {Progress} data */
  show(data) {
    const { isAllowed, sending } = this.#requests;
    const isOffered = isAllowed !== false && canAsk("cancel", data);
    if (!isOffered) this.#dialog.close();
    this.#button.hidden = !isOffered;
    // Its place is kept until it is known whether this reader may press it.
    this.#button.toggleAttribute("data-unknown", isAllowed === null);
    setBusy(this.#button, sending !== null, this.#language.text(sending ? "sending" : "cancel"));
    const sentence = this.#sentence(data);
    this.#element.dataset.look = sentence?.look ?? "";
    show(this.#text, sentence ? nodesOf(this.#language, sentence.key, sentence.values) : []);
    this.#element.hidden = !isOffered && !sentence;
  }

  /** What others have asked meanwhile is said before a failure. @param {Progress} data */
  #sentence(data) {
    const { failure } = this.#requests;
    const sentence = requestSentence(data);
    const isOpen = sentence?.look === "asked" || sentence?.look === "seen";
    return failure && !isOpen ? { look: "ended", key: failure, values: {} } : sentence;
  }

  /** Focuses the text in place of a button that has gone. Returns whether there is one. */
  focus() {
    this.#text.focus();
    return !this.#text.hidden;
  }

  close() {
    this.#dialog.close();
  }
}
