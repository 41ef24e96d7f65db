import { copyButton, fill, isolated, make, makeButton, nodesOf, setBusy, setText } from "./dom.js";
import { failuresOf } from "./failures.js";

/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").Progress} Progress */

/** With more, a report would be most of the page. */
const MOST = 3;

/** What has failed in a session, for a screen reader at once, with buttons to copy it and to try again. */
export class FailureReport {
  #language;
  #alert = make("div", "alert");
  /** All failures after the first ones; a screen reader would announce them all in an alert. */
  #others = make("div", "other-failures");
  #all = makeButton("all", "");
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
      this.#all,
      this.#retry,
    );
    this.#actions.hidden = true;
    this.#others.hidden = true;
    this.#all.addEventListener("click", () => {
      this.#others.hidden = !this.#others.hidden;
      this.#showAll();
    });
    // A screen reader announces only an alert that was there before its text.
    this.element = make("div", "failure", this.#alert, this.#others, this.#actions);
  }

  /** @param {Progress} data @param {{canRetry: boolean, isSending: boolean}} retry */
  show(data, { canRetry, isSending }) {
    this.#failures = failuresOf(data);
    this.#actions.hidden = this.#failures.length === 0;
    this.#retry.hidden = !canRetry;
    setBusy(this.#retry, isSending, this.#language.text(isSending ? "sending" : "retry"));
    const nodes = this.#failures.map((failure) => this.#nodes(failure));
    fill(this.#alert, nodes.slice(0, MOST).flat());
    fill(this.#others, nodes.slice(MOST).flat());
    this.#showAll();
  }

  #showAll() {
    const count = this.#failures.length;
    this.#all.hidden = count <= MOST;
    this.#all.ariaExpanded = String(!this.#others.hidden);
    const text = this.#others.hidden ? this.#language.text("parts_all", { count }) : this.#language.text("show_fewer");
    setText(this.#all, text);
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
