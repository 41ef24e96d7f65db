import { copyButton, fill, isolated, make, makeButton, nodesOf, setBusy } from "./dom.js";
import { failuresOf } from "./failures.js";

/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Progress} Progress */

/** What has failed in a session, for a screen reader at once, with buttons to copy it and to try again. */
export class FailureReport {
  #language;
  #alert = make("div", "alert");
  #retry;
  #actions;
  /** @type {Failure[]} */
  #failures = [];

  /**
   * @param {Language} language
   * @param {object} options
   * @param {(text: string) => void} options.announce
   * @param {() => void} options.onRetry
   */
  constructor(language, { announce, onRetry }) {
    this.#language = language;
    this.#alert.role = "alert";
    this.#retry = makeButton("retry", language.text("retry"));
    this.#retry.addEventListener("click", onRetry);
    this.#actions = make(
      "p",
      "actions",
      copyButton(language.texts, () => this.#text(), announce),
      this.#retry,
    );
    this.#actions.hidden = true;
    // A screen reader announces only an alert that was there before its text.
    this.element = make("div", "failure", this.#alert, this.#actions);
  }

  /** @param {Progress} data @param {{canRetry: boolean, isSending: boolean}} retry */
  show(data, { canRetry, isSending }) {
    this.#failures = failuresOf(data);
    this.#actions.hidden = this.#failures.length === 0;
    this.#retry.hidden = !canRetry;
    setBusy(this.#retry, isSending, this.#language.text(isSending ? "sending" : "retry"));
    fill(
      this.#alert,
      this.#failures.flatMap((failure) => this.#nodes(failure)),
    );
  }

  /** @param {Failure} failure */
  #nodes({ key, values, error }) {
    const title = make("p", "failed-step", ...nodesOf(this.#language, key, values));
    if (!error) return [title];
    const text = make("pre", "error-text", isolated(error));
    // A long text scrolls, and the keyboard needs to reach it.
    text.tabIndex = 0;
    return [title, text];
  }

  #text() {
    return this.#failures
      .map(({ key, values, error }) => [this.#language.text(key, values), error].filter(Boolean).join("\n"))
      .join("\n\n");
  }
}
