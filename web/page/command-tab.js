import { copyButton, make, makeButton } from "../lib/dom.js";

/** @typedef {import("./command-panel.js").Texts} Texts */
/** @typedef {import("./commands.js").CommandLanguage} CommandLanguage */
/** @typedef {import("./curl.js").WorkerRequest} WorkerRequest */

/** One way to send a request: its tab, and its panel with the command and a button that copies it. */
export class CommandTab {
  #language;
  #texts;
  #copyButton;
  #title = make("h2");
  #code = make("code");

  /**
   * @param {string} name
   * @param {CommandLanguage} language
   * @param {Texts} texts
   * @param {HTMLElement} status A live region that announces whether the text was copied.
   */
  constructor(name, language, texts, status) {
    this.#language = language;
    this.#texts = texts;
    // A new text node each time, since a screen reader does not announce an unchanged text again.
    this.#copyButton = copyButton(
      texts,
      () => this.#code.textContent,
      (answer) => status.replaceChildren(answer),
    );
    this.tab = makeButton("tab", name);
    this.tab.id = `drive-${name.toLowerCase()}`;
    this.tab.setAttribute("role", "tab");
    this.panel = this.#makePanel();
  }

  #makePanel() {
    const panel = make("div", "command");
    panel.id = `${this.tab.id}-command`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", this.tab.id);
    this.tab.setAttribute("aria-controls", panel.id);
    panel.append(make("div", "command-head", this.#title, this.#copyButton), make("pre", "", this.#code));
    return panel;
  }

  /** @param {boolean} isSelected */
  select(isSelected) {
    this.tab.setAttribute("aria-selected", String(isSelected));
    this.tab.tabIndex = isSelected ? 0 : -1;
    this.panel.hidden = !isSelected;
  }

  /**
   * @param {string} title
   * @param {WorkerRequest} request
   * @param {boolean} needsToken
   */
  show(title, request, needsToken) {
    const { parts, joint } = this.#language;
    const spans = parts(request, needsToken).map((part) => make("span", "", part));
    this.#code.replaceChildren(...spans.flatMap((span) => [span, joint]).slice(0, -1));
    this.#title.textContent = title;
    this.#copyButton.setAttribute("aria-label", `${this.#texts.copy}: ${title}`);
  }
}
