/*
 * The commands for what a session's worker would do next, in the reader's language of choice.
 * A token never appears in them: each reads it from the environment of whoever runs it.
 */

import { copyButton, make, makeButton } from "../lib/dom.js";
import { curlParts, updateUrl } from "./curl.js";

/**
 * @typedef {import("../lib/wire.js").Progress} Progress
 * @typedef {Record<"drive" | "token" | "start" | "complete" | "copy" | "copied" | "copy_failed", string>} Texts Of texts.js.
 * @typedef {{action: "start" | "complete", step: number}} Update
 * @typedef {{parts: (url: string, update: Update, needsToken: boolean) => string[], joint: string}} Language
 */

/** The update as Python and JavaScript both write it. @param {Update} update */
function literal({ action, step }) {
  return `{"action": "${action}", "step": ${step}}`;
}

/**
 * A program that any Python runs, as a file as well as line by line.
 * @type {Language["parts"]}
 */
function pythonLines(url, update, needsToken) {
  return [
    "import json",
    ...(needsToken ? ["import os"] : []),
    "from urllib.request import Request, urlopen",
    "",
    `update = ${literal(update)}`,
    'headers = {"Content-Type": "application/json"}',
    ...(needsToken ? ['headers["Authorization"] = "Bearer " + os.environ["PROGRESS_SSE_TOKEN"]'] : []),
    `request = Request("${url}", json.dumps(update).encode(), headers)`,
    "print(urlopen(request).read().decode())",
  ];
}

/**
 * A program for Node 20, as a module, as a plain script or at its prompt: that is why it awaits nothing.
 * @type {Language["parts"]}
 */
function javascriptLines(url, update, needsToken) {
  return [
    `fetch("${url}", {`,
    '  method: "POST",',
    "  headers: {",
    '    "Content-Type": "application/json",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is part of the program that is shown.
    ...(needsToken ? ["    Authorization: `Bearer ${process.env.PROGRESS_SSE_TOKEN}`,"] : []),
    "  },",
    `  body: JSON.stringify(${literal(update)}),`,
    "})",
    "  .then((response) => response.text())",
    "  .then(console.log);",
  ];
}

/**
 * How to send an update. The joint stands between the parts, and a narrow page wraps there first.
 * @type {Readonly<Record<"curl" | "Python" | "JavaScript", Language>>}
 */
export const LANGUAGES = {
  curl: { parts: curlParts, joint: " " },
  Python: { parts: pythonLines, joint: "\n" },
  JavaScript: { parts: javascriptLines, joint: "\n" },
};

/**
 * What a worker would report next: that the running step is done, or the start of the first one that is not.
 * @param {Progress} data
 * @returns {Update}
 */
export function nextUpdate({ steps }) {
  const next = steps.find(({ status }) => status !== "success");
  return { action: next?.status === "running" ? "complete" : "start", step: next?.step ?? 1 };
}

/** Fills a `<details>`, below its summary, with a tab for each way to send the next update. */
export class Drive {
  #panel;
  #texts;
  #url;
  #needsToken;
  #offered = "";
  #isShown = false;
  /** @type {Tab[]} */
  #tabs;

  /**
   * @param {HTMLDetailsElement} panel
   * @param {{sessionId: string, texts: Texts}} options
   */
  constructor(panel, { sessionId, texts }) {
    const publish = document.querySelector('meta[name="progress-publish"]');
    this.#panel = panel;
    this.#texts = texts;
    this.#url = updateUrl(document.baseURI, sessionId);
    this.#needsToken = publish?.getAttribute("content") === "token";
    const status = make("p", "visually-hidden");
    status.setAttribute("role", "status");
    this.#tabs = Object.entries(LANGUAGES).map(([name, language]) => new Tab(name, language, texts, status));
    const hint = make("p", "quiet token-hint", texts.token);
    hint.hidden = !this.#needsToken;
    panel.append(hint, tabList(this.#tabs, texts.drive), ...this.#tabs.map(({ panel: own }) => own), status);
  }

  /** @param {Progress} data */
  show(data) {
    this.#panel.hidden = data.status === "completed";
    if (!this.#isShown) this.#panel.open = data.status === "not_found";
    this.#isShown = true;
    const update = nextUpdate(data);
    const title = this.#texts[update.action].replace("{step}", String(update.step));
    if (title === this.#offered) return;
    this.#offered = title;
    for (const tab of this.#tabs) tab.show(title, this.#url, update, this.#needsToken);
  }
}

/** One way to send an update: its tab, and its panel with the command and a button that copies it. */
class Tab {
  #language;
  #texts;
  #copyButton;
  #title = make("h2");
  #code = make("code");

  /**
   * @param {string} name
   * @param {Language} language
   * @param {Texts} texts
   * @param {HTMLElement} status Says to a screen reader what the button did.
   */
  constructor(name, language, texts, status) {
    this.#language = language;
    this.#texts = texts;
    // Put there anew each time: what stays the same is not said again.
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
   * @param {string} url
   * @param {Update} update
   * @param {boolean} needsToken
   */
  show(title, url, update, needsToken) {
    const { parts, joint } = this.#language;
    const spans = parts(url, update, needsToken).map((part) => make("span", "", part));
    this.#code.replaceChildren(...spans.flatMap((span) => [span, joint]).slice(0, -1));
    this.#title.textContent = title;
    this.#copyButton.setAttribute("aria-label", `${this.#texts.copy}: ${title}`);
  }
}

/**
 * The tabs in a row, with the first selected: arrow keys move, as in the tabs pattern of the ARIA authoring practices.
 * @param {Tab[]} tabs
 * @param {string} label
 */
function tabList(tabs, label) {
  const list = make("div", "tabs");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", label);
  list.append(...tabs.map(({ tab }) => tab));

  /** @param {number} index */
  const select = (index) => {
    for (const [each, tab] of tabs.entries()) tab.select(each === index);
  };

  list.addEventListener("click", ({ target }) => {
    const index = tabs.findIndex(({ tab }) => tab === target);
    if (index >= 0) select(index);
  });
  list.addEventListener("keydown", (event) => {
    const index = tabs.findIndex(({ tab }) => tab === event.target);
    const last = tabs.length - 1;
    const targets = {
      ArrowLeft: index ? index - 1 : last,
      ArrowRight: index < last ? index + 1 : 0,
      Home: 0,
      End: last,
    };
    const target = targets[/** @type {keyof typeof targets} */ (event.key)];
    if (target === undefined) return;
    event.preventDefault();
    select(target);
    tabs[target]?.tab.focus();
  });
  select(0);
  return list;
}
