/*
 * The page: `/s/{session_id}` shows one session, `/?session_id=a&session_id=b` several, `/` a fresh one that waits for
 * its worker. Each of them is a SessionView; here is what a document has beside: title, icon, notification, recent
 * sessions, and a way in for those who need a token.
 */

import { Announcer } from "../lib/announcer.js";
import { element, make, translatePage } from "../lib/dom.js";
import { ProgressTracker } from "../lib/index.js";
import { Language } from "../lib/language.js";
import { headlineOf, titleOf, titleOfMany, together } from "../lib/session-state.js";
import { SessionView } from "../lib/session-view.js";
import { languageFor } from "../lib/texts.js";
import { Drive } from "./command-panel.js";
import { faviconOf } from "./favicon.js";
import { RecentSessions } from "./recent-sessions.js";
import { freshSessionId, sessionsIn } from "./session-url.js";
import { Entrance } from "./token-form.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */

/** Where scripts of users find the parts of a single session. */
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

/** Asks only when asked to; and tells the end only to who looks at something else. */
class Notifier {
  #button = element("notify");
  #isWanted = false;

  constructor() {
    this.#button.hidden = !canNotify();
    this.#button.textContent = language.text("notify");
    this.#button.addEventListener("click", () => void this.#ask());
  }

  async #ask() {
    this.#isWanted = (await Notification.requestPermission()) === "granted";
    this.#button.textContent = language.text(this.#isWanted ? "notify_on" : "notify_denied");
    announcer.say(this.#button.textContent);
    this.#button.toggleAttribute("disabled", true);
  }

  /** @param {Progress} data */
  tellEnd(data) {
    if (!this.#isWanted || document.hasFocus()) return;
    const { key, values } = headlineOf(data);
    try {
      new Notification(language.text(key, values), { body: data.session_id, tag: data.session_id });
    } catch (error) {
      console.error(error); // As in `canNotify`, where it could not be tried.
    }
  }

  hide() {
    this.#button.hidden = true;
  }
}

/** Browsers of phones have the class, and throw where it is made: they would have a service worker do that. */
function canNotify() {
  if (!("Notification" in globalThis && isSecureContext)) return false;
  if (Notification.permission === "granted") return true;
  try {
    new Notification("").close(); // It is not shown without permission.
    return true;
  } catch {
    return false;
  }
}

/** What a document shows of all its sessions, in its title and its icon. */
class Head {
  #icon = /** @type {HTMLLinkElement} */ (element("favicon"));
  #shown = "";

  /** @param {import("../lib/session-state.js").Memory[]} memories @param {string} title */
  show(memories, title) {
    const [first] = memories;
    if (!first) return;
    const text = views.length === 1 ? titleOf(first, title) : titleOfMany(memories, views.length, title);
    if (document.title !== text) document.title = text;
    const { status, percentage } = together(memories, views.length);
    const icon = faviconOf(status, percentage);
    if (icon === this.#shown) return;
    this.#shown = icon;
    this.#icon.href = icon;
  }
}

/** @param {string} id */
function sessionLink(id) {
  const link = make("a", "", make("bdi", "", id));
  link.href = `s/${encodeURIComponent(id)}`;
  return make("li", "", link);
}

function showRecent() {
  const ids = recent.list();
  element("recent").hidden = ids.length === 0;
  element("recent-list").replaceChildren(...ids.map(sessionLink));
}

/** @param {string} id */
function viewOf(id) {
  /** @type {Progress["status"] | undefined} */
  let status;
  return new SessionView(id, {
    language,
    heading: ids.length === 1 ? "h1" : "h2",
    timeline: ids.length === 1,
    announce: (text) => announcer.say(text, id),
    onchange({ data }) {
      refresh();
      if (data.status === status) return;
      if (data.status !== "not_found") recent.add(id);
      if (status && (data.status === "completed" || data.status === "error")) notifier.tellEnd(data);
      status = data.status;
    },
    ondraw: (data) => drive?.show(data),
    onstatechange: (state) => state === "denied" && entrance.ask(),
  });
}

/** At once, and not in a frame: a tab in the background has none. */
function refresh() {
  const memories = views.flatMap((view) => view.memory ?? []);
  head.show(memories, ids.length === 1 ? (ids[0] ?? "") : jobs());
  if (together(memories, views.length).status === "completed") notifier.hide();
}

function jobs() {
  return language.text(language.plural("jobs", ids.length), { count: ids.length });
}

function startAgain() {
  // Whoever cannot see that the form has gone.
  announcer.say(language.text("connecting"));
  for (const view of views) {
    view.stop();
    view.start();
  }
}

// A bundle has no address from which index.js could derive the server's.
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");

translatePage(language.tag, language.texts);
let ids = sessionsIn(location, document.baseURI);
if (!ids.length) {
  ids = [freshSessionId()];
  // Into the address, so that it outlives a reload.
  history.replaceState(null, "", `s/${ids[0]}`);
  showRecent();
}

const notifier = new Notifier();
const head = new Head();
const views = ids.map(viewOf);
if (views.length > 1) element("sessions").append(make("h1", "jobs", jobs()));
element("sessions").append(...views.map((view) => view.element));
if (views.length === 1) {
  for (const [part, id] of Object.entries(IDS)) document.querySelector(`.${part}`)?.setAttribute("id", id);
}

const panel = /** @type {HTMLDetailsElement} */ (element("drive"));
const drive = ids[0] && views.length === 1 ? new Drive(panel, { sessionId: ids[0], texts: language.texts }) : null;
const entrance = new Entrance(language.texts, startAgain);
for (const view of views) view.start();
