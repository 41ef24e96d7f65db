import { Later } from "../lib/later.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("./command-panel.js").CommandPanel} CommandPanel */

/** A `<details>` with the commands of a session's next update. Its content is loaded when it is open. */
export class CommandDetails {
  #element;
  #isForDevelopers;
  /** What is shown. @type {Progress | null} */
  #data = null;
  /** @type {Later<CommandPanel>} */
  #panel;

  /**
   * @param {HTMLDetailsElement} element
   * @param {object} options
   * @param {string} options.sessionId
   * @param {import("./command-panel.js").Texts} options.texts
   * @param {boolean} options.isForDevelopers Others see it only while there is no session.
   */
  constructor(element, { sessionId, texts, isForDevelopers }) {
    this.#element = element;
    this.#isForDevelopers = isForDevelopers;
    this.#panel = new Later(
      async () => new (await import("./command-panel.js")).CommandPanel(element, sessionId, texts),
      () => this.#draw(),
    );
    element.addEventListener("toggle", () => this.#draw());
  }

  /** @param {Progress} data */
  show(data) {
    const isEmpty = data.status === "not_found";
    this.#element.hidden = data.status === "completed" || !(this.#isForDevelopers || isEmpty);
    if (!this.#data) this.#element.open = isEmpty;
    this.#data = data;
    this.#draw();
  }

  #draw() {
    if (this.#element.open && !this.#element.hidden) void this.#panel.need();
    if (this.#data) this.#panel.part?.show(this.#data);
  }
}
