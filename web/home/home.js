/*
 * The home page: a live list of the sessions that its visitor may list. A visitor who may list none gets a field for an
 * id, and the sessions that this browser has shown.
 */
import { element, make, translatePage } from "../lib/dom.js";
import { ProgressTracker } from "../lib/index.js";
import { Language } from "../lib/language.js";
import { filterOf } from "../lib/list-filter.js";
import { languageFor } from "../lib/texts.js";
import { HelpDialog } from "../page/help-dialog.js";
import { RecentSessions } from "../page/recent-sessions.js";
import { Shortcuts } from "../page/shortcuts.js";
import { themeSwitch } from "../page/theme-switch.js";
import { TokenForm } from "../page/token-form.js";
import { JobList } from "./job-list.js";
import { factOf, listablePrefixes } from "./page-facts.js";
import { pageOf } from "./session-page.js";
import { fillStartPanel } from "./start-panel.js";

const language = new Language(languageFor(navigator.languages));

/** @param {string} id */
function sessionLink(id) {
  const link = make("a", "", make("bdi", "", id));
  link.href = pageOf(id);
  return make("li", "", link);
}

function showOtherWays() {
  if (!element("open").hidden) return;
  element("open").hidden = false;
  const recent = new RecentSessions(() => localStorage).list();
  element("recent").hidden = recent.length === 0;
  element("recent-list").replaceChildren(...recent.map(sessionLink));
  tokenForm.ask();
}

/** Another filter, as of the page before in the history, may list what the visitor may list. */
function hideOtherWays() {
  for (const id of ["open", "recent", "entrance"]) element(id).hidden = true;
}

function offerStart() {
  panel.hidden = false;
  panel.open = true;
}

/** @param {string[]} prefixes */
function show(prefixes) {
  fillStartPanel(panel, {
    texts: language.texts,
    prefix: prefixes[0] ?? "",
    needsToken: factOf("publish") === "token",
  });
  /** @type {import("../page/shortcuts.js").Shortcut[]} */
  const keys = [{ key: "?", text: "keys_help", run: () => help.open() }];
  // A server whose own application decides cannot name all prefixes that a visitor may list.
  if (prefixes.length || filterOf(location.search).prefix) {
    const list = new JobList(language, prefixes, {
      onEmpty: offerStart,
      onListed: hideOtherWays,
      onDenied: showOtherWays,
    });
    keys.unshift(
      { key: "j", text: "keys_next_job", run: () => list.moveFocus(1), repeats: true },
      { key: "k", text: "keys_previous_job", run: () => list.moveFocus(-1), repeats: true },
      { key: "/", text: "keys_search", run: () => list.search() },
    );
    list.start();
  } else {
    showOtherWays();
  }
  const shortcuts = new Shortcuts(keys);
  help.shortcuts = shortcuts;
  addEventListener("keydown", (event) => shortcuts.press(event));
}

// index.js cannot derive the server's address from a bundle's.
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");

translatePage(language.tag, language.texts);
document.title = language.text("list_title");
const tokenForm = new TokenForm(language.texts, () => location.reload(), factOf("tokens") === "taken");
element("open").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(pageOf(/** @type {HTMLInputElement} */ (element("open-id")).value.trim()));
});
const help = new HelpDialog(language);
element("home-title").append(make("div", "tools", themeSwitch(language.texts), help.button));
element("home").append(help.element);
const panel = /** @type {HTMLDetailsElement} */ (element("start"));
panel.hidden = factOf("dev") !== "on";
void listablePrefixes().then(show);
