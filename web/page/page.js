/*
 * The page of sessions: `/s/{session_id}` shows one, `/?session_id=a&session_id=b` several. A SessionView shows each
 * session; this module adds the title, the icon, the notification, the visit by a link and the form for a token, and
 * remembers the sessions.
 */

// biome-ignore assist/source/organizeImports: the first import takes the token out of the address before all others run.
import { firstToken, takeToken } from "./link-token.js";
import { factOf } from "../home/page-facts.js";
import { Announcer } from "../lib/announcer.js";
import { element, make, translatePage } from "../lib/dom.js";
import { ProgressTracker } from "../lib/index.js";
import { Language } from "../lib/language.js";
import { Later } from "../lib/later.js";
import { isOver } from "../lib/requests.js";
import { SessionView } from "../lib/session-view.js";
import { languageFor } from "../lib/texts.js";
import { CommandDetails } from "./command-details.js";
import { CopyLink } from "./copy-link.js";
import { DocumentHead } from "./document-head.js";
import { HelpDialog } from "./help-dialog.js";
import { HomeLink } from "./home-link.js";
import { LinkVisit } from "./link-visit.js";
import { Notifier } from "./notifier.js";
import { RecentSessions } from "./recent-sessions.js";
import { isCompactIn, sessionsIn } from "./session-url.js";
import { Shortcuts } from "./shortcuts.js";
import { themeSwitch } from "./theme-switch.js";
import { TokenForm } from "./token-form.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */

/** The ids by which users' scripts find the parts of a single session. */
const IDS = {
  "session-id": "session-id",
  connection: "connection",
  headline: "headline",
  fill: "progress-bar",
  alert: "failure",
  steps: "step-list",
};

const language = new Language(languageFor(navigator.languages));
const announcer = new Announcer(element("milestone"));
const recent = new RecentSessions(() => localStorage);

/** @param {string} id */
function viewOf(id) {
  /** @type {Progress["status"] | undefined} */
  let status;
  return new SessionView(id, {
    language,
    heading: ids.length === 1 ? "h1" : "h2",
    timeline: true,
    tracker: {
      get byLink() {
        return visit.isByLink;
      },
    },
    isCompact: ids.length > 1 || isCompactIn(location),
    hasSigns: true,
    ...(ids.length === 1 && { tools, home: home.element, isPreloaded: true }),
    announce: (text) => announcer.say(text, id),
    onchange({ data, isDeleted }) {
      refresh();
      showUnknown(data.status === "not_found" && !isDeleted);
      if (data.status === status) return;
      if (data.status !== "not_found") recent.add(id);
      if (status && (data.status === "completed" || data.status === "error")) notifier?.notifyEnd(data);
      status = data.status;
    },
    onmove: refresh,
    ondraw: (data) => commands?.show(data),
    onstatechange: (state) => state === "denied" && onDenied(),
  });
}

/** Runs at once, since a tab in the background has no animation frames. */
function refresh() {
  const states = views.flatMap((view) => view.sessionState ?? []);
  head.show(states, views.length, ids.length === 1 ? (ids[0] ?? "") : jobs());
  notifier?.setOver(states.length === views.length && states.every(({ data }) => isOver(data)));
  if (!notifier) void push.need();
  push.part?.follow(states);
}

/** @param {boolean} isUnknown No job has reported under the id. */
function showUnknown(isUnknown) {
  if (ids.length !== 1) return;
  element("unknown").hidden = !isUnknown;
  if (isUnknown) void unknown.need();
}

function jobs() {
  return language.text(language.plural("jobs", ids.length), { count: ids.length });
}

function onDenied() {
  if (tokenForm.isUsed && visit.onDenied()) {
    startAgain();
    return;
  }
  tokenForm.ask();
  if (views.every(({ sessionState }) => !sessionState)) notifier?.setOver(true);
}

/** @param {(keys: typeof import("./step-keys.js")) => void} move Without a network no key does anything. */
function withSteps(move) {
  void import("./step-keys.js").then(move, () => {});
}

function toggleLogs() {
  for (const view of views) view.toggleLog();
}

function startAgain() {
  // A screen reader does not announce that the form has gone.
  announcer.say(language.text("connecting"));
  home.show(visit.isByLink);
  for (const view of views) {
    view.stop();
    view.start();
  }
}

// index.js cannot derive the server's address from a bundle's.
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");

translatePage(language.tag, language.texts);
const ids = sessionsIn(location, document.baseURI);

const visit = new LinkVisit(ids.length === 1 ? (ids[0] ?? null) : null, language.texts);
/** Null where the server offers push, by the same button. */
const notifier = factOf("push") === "on" ? null : new Notifier(language, announcer);
const push = new Later(
  async () => new (await import("./push-button.js")).PushButton(element("notify"), { language, announcer, ids, visit }),
  refresh,
);
const head = new DocumentHead();
const home = new HomeLink(language.texts);
home.show(visit.isByLink || firstToken !== "");
const unknown = new Later(
  async () => (await import("./unknown-job.js")).fillUnknown(element("unknown"), language, !home.element.hidden),
  () => {},
);
const copyLink = new CopyLink(language.texts, (text) => announcer.say(text));
const help = new HelpDialog(language);
const shortcuts = new Shortcuts([
  { key: "j", text: "keys_next", run: () => withSteps(({ moveToStep }) => moveToStep(1)), repeats: true },
  { key: "k", text: "keys_previous", run: () => withSteps(({ moveToStep }) => moveToStep(-1)), repeats: true },
  { key: "f", text: "keys_failed", run: () => withSteps(({ moveToFailed }) => moveToFailed()) },
  { key: "l", text: "keys_log", run: () => toggleLogs() },
  { key: "c", text: "keys_link", run: () => void copyLink.copy() },
  { key: "?", text: "keys_help", run: () => help.open() },
]);
help.shortcuts = shortcuts;
addEventListener("keydown", (event) => shortcuts.press(event));
const tools = make("div", "tools", copyLink.element, themeSwitch(language.texts), help.button);
const views = ids.map(viewOf);
if (views.length > 1) element("sessions").append(make("div", "head", home.element, make("h1", "jobs", jobs()), tools));
element("sessions").append(...views.map((view) => view.element));
element("page").append(help.element);
if (views.length === 1) {
  for (const [part, id] of Object.entries(IDS)) document.querySelector(`.${part}`)?.setAttribute("id", id);
}

const isForDevelopers = factOf("dev") === "on";
const commands =
  ids[0] && ids.length === 1
    ? new CommandDetails(/** @type {HTMLDetailsElement} */ (element("drive")), {
        sessionId: ids[0],
        texts: language.texts,
        isForDevelopers,
      })
    : null;
const tokenForm = new TokenForm(language.texts, () => {
  visit.useOwnToken();
  startAgain();
});
let opened = visit.open(firstToken);
// A link that is opened in this tab while it shows the session loads nothing.
addEventListener("hashchange", () => {
  const token = takeToken();
  if (token) opened = opened.then(() => visit.open(token)).then(startAgain);
});
await opened;
home.show(visit.isByLink);
for (const view of views) view.start();
