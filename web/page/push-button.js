import { make } from "../lib/dom.js";

/** @typedef {import("../lib/language.js").Language} Language */

const STORED = "progress-push";
const WORKER = "push-worker.js";

/**
 * The button by which a reader is notified though the page is closed. It asks for permission only on a click. What the
 * browser is subscribed to is kept here, by session, and the server is asked whether it still is.
 */
export class PushButton {
  #button;
  #language;
  #say;
  #sessionIds;
  #isByLink;
  #isOn = false;

  /**
   * @param {HTMLElement} button
   * @param {object} page
   * @param {Language} page.language
   * @param {(text: string) => void} page.say Announces a text.
   * @param {string[]} page.sessionIds
   * @param {() => boolean} page.isByLink
   */
  constructor(button, { language, say, sessionIds, isByLink }) {
    this.#button = button;
    this.#language = language;
    this.#say = say;
    this.#sessionIds = sessionIds;
    this.#isByLink = isByLink;
    if (!canPush()) {
      this.#show(isPhoneOfApple() ? "push_install" : "notify_denied", true);
      return;
    }
    document.head.append(Object.assign(make("link"), { rel: "manifest", href: "manifest.webmanifest" }));
    this.#show(Notification.permission === "denied" ? "notify_denied" : "notify", Notification.permission === "denied");
    button.addEventListener("click", () => void this.#toggle());
    void this.#find();
  }

  /** @param {"notify" | "notify_on" | "notify_denied" | "push_failed" | "push_install"} key @param {boolean} [isFinal] */
  #show(key, isFinal = false) {
    this.#isOn = key === "notify_on";
    this.#button.textContent = this.#language.text(key);
    this.#button.setAttribute("aria-pressed", String(this.#isOn));
    this.#button.toggleAttribute("disabled", isFinal);
  }

  /** Whether the server still notifies this browser of each session. */
  async #find() {
    const stored = storedIds();
    const ids = this.#sessionIds.map((sessionId) => [sessionId, stored[sessionId]]);
    if (ids.some(([, id]) => !id)) return;
    const found = await Promise.all(ids.map(([sessionId, id]) => this.#send(sessionId ?? "", "GET", `/${id}`)));
    if (found.every((answer) => answer?.status === 204)) this.#show("notify_on");
  }

  async #toggle() {
    const key = this.#isOn ? await this.#end() : await this.#begin();
    this.#show(key, key === "notify_denied");
    this.#say(this.#button.textContent ?? "");
  }

  /** @returns {Promise<"push_failed" | "notify_on" | "notify_denied">} */
  async #begin() {
    if ((await Notification.requestPermission()) !== "granted") return "notify_denied";
    const subscription = await subscribed().catch(() => null); // As without a network.
    if (!subscription) return "push_failed";
    const body = JSON.stringify({ ...subscription.toJSON(), language: this.#language.tag });
    const stored = storedIds();
    for (const sessionId of this.#sessionIds) {
      const answer = await this.#send(sessionId, "PUT", "", body);
      if (!answer?.ok) return "push_failed";
      stored[sessionId] = (await answer.json()).id;
    }
    localStorage.setItem(STORED, JSON.stringify(stored));
    return "notify_on";
  }

  /** @returns {Promise<"notify">} */
  async #end() {
    const stored = storedIds();
    for (const sessionId of this.#sessionIds) {
      await this.#send(sessionId, "DELETE", `/${stored[sessionId]}`);
      delete stored[sessionId];
    }
    localStorage.setItem(STORED, JSON.stringify(stored));
    return "notify";
  }

  /** @param {string} sessionId @param {string} method @param {string} path @param {string} [body] */
  async #send(sessionId, method, path, body) {
    const link = this.#isByLink() ? "?link=1" : "";
    const headers = { "Content-Type": "application/json" };
    try {
      const url = `api/progress/${encodeURIComponent(sessionId)}/push${path}${link}`;
      return await fetch(url, body === undefined ? { method } : { method, headers, body });
    } catch {
      return null;
    }
  }
}

/** The browser's subscription to the server's key; one to a former key is ended. @returns {Promise<PushSubscription>} */
async function subscribed() {
  const { key } = await (await fetch("api/push")).json();
  const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("progress-sse", {
    createScriptURL: () => WORKER,
  });
  const url = /** @type {string} */ (/** @type {unknown} */ (policy?.createScriptURL("") ?? WORKER));
  await navigator.serviceWorker.register(url);
  const { pushManager } = await navigator.serviceWorker.ready;
  const former = await pushManager.getSubscription();
  if (former && keyOf(former) === key) return former;
  await former?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** @param {PushSubscription} subscription */
function keyOf({ options: { applicationServerKey } }) {
  const bytes = String.fromCharCode(...new Uint8Array(applicationServerKey ?? new ArrayBuffer(0)));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @returns {Record<string, string>} */
function storedIds() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    return {};
  }
}

function canPush() {
  return "serviceWorker" in navigator && "PushManager" in globalThis && top === self;
}

/** There only pages on the home screen can be notified. */
function isPhoneOfApple() {
  return /iPhone|iPad/.test(navigator.userAgent) && !matchMedia("(display-mode: standalone)").matches;
}
