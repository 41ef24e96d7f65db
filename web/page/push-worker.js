/*
 * The service worker: shows a notification where a push message comes, and opens the page where it is clicked. The
 * message has no text of the job; the title is loaded with the reader's own cookie.
 */

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

/** @typedef {{event: string, session_id: string, percentage: number, language: string, link?: boolean}} Message */

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("push", (/** @type {any} */ event) => event.waitUntil(notify(event.data?.json())));
worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(openPage(event.notification.data));
});

/** @param {Message} message */
async function notify(message) {
  const { event, session_id, language, link } = message;
  const words = WORDS[language.slice(0, 2)] ?? WORDS.en ?? {};
  const name = await nameOf(session_id, link);
  const title = (name && words[event]?.replace("{name}", () => name)) || words.unknown || "";
  await worker.registration.showNotification(title, { tag: session_id, data: pageOf(session_id), lang: language });
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

/** @param {string} sessionId */
function pageOf(sessionId) {
  return new URL(`s/${encodeURIComponent(sessionId)}`, worker.registration.scope).href;
}

/** Brings the tab of the page forward, or opens one. @param {string} page */
async function openPage(page) {
  const tabs = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find((/** @type {{url: string}} */ { url }) => url.split(/[?#]/)[0] === page);
  await (tab ? tab.focus() : worker.clients.openWindow(page));
}
