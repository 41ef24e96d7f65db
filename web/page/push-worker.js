/*
 * The service worker: shows a notification where a push message comes, and opens the page where it is clicked. The
 * message has no text of the job; the title is loaded with the reader's own cookie.
 */

import { sessionsIn } from "./session-url.js";

const TITLE_TIMEOUT_MS = 3000;

/** @type {Record<string, Record<string, string>>} */
const WORDS = {
  en: {
    completed: "{name} has ended",
    failed: "{name} has failed",
    cancelled: "{name} was cancelled",
    stalled: "{name} gives no sign of life",
    unknown: "A job has ended",
  },
  ja: {
    completed: "{name} が終わりました",
    failed: "{name} が失敗しました",
    cancelled: "{name} がキャンセルされました",
    stalled: "{name} から応答がありません",
    unknown: "ジョブが終わりました",
  },
};

/** The types of windows and of workers exclude each other. */
const worker = /** @type {any} */ (self);

/** @typedef {{event?: string, session_id?: string, language?: string, link?: boolean}} Message */

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("push", (/** @type {any} */ event) => event.waitUntil(notify(messageIn(event.data))));
worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(openPage(event.notification.tag));
});

/** Browsers want a notification for each message, also for one without sense. @param {any} data @returns {Message} */
function messageIn(data) {
  try {
    return Object(data.json());
  } catch {
    return {};
  }
}

/** @param {Message} message */
async function notify({ event = "", session_id = "", language = "en", link }) {
  const words = WORDS[String(language).slice(0, 2)] ?? WORDS.en ?? {};
  const name = session_id && (await nameOf(session_id, link));
  const title = (name && words[event]?.replace("{name}", () => name)) || words.unknown || "";
  await worker.registration.showNotification(title, { tag: session_id, lang: language });
}

/** What the session is called; empty where this reader may not read it now. @param {string} sessionId @param {boolean} [link] */
async function nameOf(sessionId, link) {
  try {
    const path = `api/progress/${encodeURIComponent(sessionId)}${link ? "?link=1" : ""}`;
    const signal = AbortSignal.timeout(TITLE_TIMEOUT_MS);
    const response = await fetch(new URL(path, worker.registration.scope), { signal });
    const session = response.ok ? await response.json() : { status: "not_found" };
    return session.status === "not_found" ? "" : String(session.title ?? sessionId);
  } catch {
    return "";
  }
}

/** Brings a tab that shows the session forward, or opens its page. @param {string} sessionId */
async function openPage(sessionId) {
  const tabs = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find((/** @type {{url: string}} */ { url }) => isShownAt(url, sessionId));
  const path = sessionId && `s/${encodeURIComponent(sessionId)}`;
  await (tab ? tab.focus() : worker.clients.openWindow(new URL(path, worker.registration.scope)));
}

/** @param {string} url @param {string} sessionId */
function isShownAt(url, sessionId) {
  const { scope } = worker.registration;
  if (!url.startsWith(scope) || !/^(s\/|\?)/.test(url.slice(scope.length))) return false;
  try {
    return sessionsIn(new URL(url), scope).includes(sessionId);
  } catch {
    return false; // An address with escapes that are not UTF-8.
  }
}
