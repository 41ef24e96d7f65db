import { make } from "../lib/dom.js";
import { isOver } from "../lib/requests.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("../lib/session-state.js").SessionState} SessionState */

/** @typedef {"push_offer" | "notify_on" | "notify_denied" | "push_failed" | "push_install"} Shown */
/** @typedef {{id: string, endpoint: string, key: string}} Kept What a session's subscription was made with. */

const WORKER = "push-worker.js";

/** The worker's URL, once the policy is there that makes it: a page makes a policy once. @type {string | undefined} */
let workerUrl;

/**
 * The button by which a reader is notified though the page is closed. It asks for permission only on a click. What the
 * browser is subscribed to is kept here, by session, and the server is asked whether it still is.
 */
export class PushButton {
  #button;
  #page;
  #isOn = false;
  /** The sessions that may still end. @type {string[]} */
  #open = [];
  #followed = "";
  /** What was asked of the button last; each waits for what was asked before. @type {Promise<void>} */
  #work = Promise.resolve();

  /**
   * @param {HTMLElement} button
   * @param {object} page
   * @param {Language} page.language
   * @param {{say: (text: string) => void}} page.announcer
   * @param {string[]} page.ids Of its sessions.
   * @param {{isByLink: boolean}} page.visit
   */
  constructor(button, page) {
    this.#button = button;
    this.#page = page;
    document.head.append(Object.assign(make("link"), { rel: "manifest", href: "manifest.webmanifest" }));
    this.#show(canPush() ? "push_offer" : "push_install");
    button.addEventListener("click", () => this.#toggle());
  }

  /** Looks again where a session has begun anew: a replacement has no subscriptions. @param {SessionState[]} states */
  follow(states) {
    const open = states.filter(({ data }) => data.status !== "not_found" && !isOver(data));
    this.#open = open.map(({ data }) => data.session_id);
    this.#button.hidden = !open.length || !(canPush() || isTabOfApple());
    const followed = JSON.stringify(open.map(({ data, run }) => [data.session_id, data.status, run]));
    if (followed === this.#followed) return;
    this.#followed = followed;
    if (open.length && canPush()) this.#then(() => this.#find());
  }

  /** @param {() => Promise<Shown>} task */
  #then(task) {
    const failed = () => /** @type {const} */ ("push_failed"); // As without a network.
    this.#work = this.#work.then(() => task().catch(failed)).then((key) => this.#show(key));
  }

  /** @param {Shown} key */
  #show(key) {
    this.#isOn = key === "notify_on" || (key === "push_failed" && this.#isOn);
    this.#button.textContent = this.#page.language.text(key);
    this.#button.setAttribute("aria-pressed", String(this.#isOn));
    this.#button.toggleAttribute("disabled", key === "notify_denied" || key === "push_install");
  }

  #toggle() {
    // At once: browsers ask only while the click is fresh.
    const permission = this.#isOn ? null : Notification.requestPermission();
    this.#then(() => (permission ? this.#begin(permission) : this.#end()));
    void this.#work.then(() => this.#page.announcer.say(this.#button.textContent ?? ""));
  }

  /** Whether this browser is notified of each session. @returns {Promise<Shown>} */
  async #find() {
    if (Notification.permission !== "granted") return refused(Notification.permission);
    const stored = storedIds();
    const kept = this.#open.map((id) => stored[id]);
    const registration = await navigator.serviceWorker.getRegistration();
    const subscription = await registration?.pushManager.getSubscription();
    if (!subscription || !kept.every(Boolean)) return "push_offer";
    const { endpoint } = subscription;
    const key = await serverKey();
    if (kept.some((each) => each?.endpoint !== endpoint || each.key !== key)) return this.#subscribe();
    const found = await Promise.all(this.#open.map((id) => this.#send(id, "GET", `/${stored[id]?.id}`)));
    return found.every(({ status }) => status === 204) ? "notify_on" : "push_offer";
  }

  /** @param {Promise<NotificationPermission>} asked @returns {Promise<Shown>} */
  async #begin(asked) {
    const permission = await asked;
    return permission === "granted" ? this.#subscribe() : refused(permission);
  }

  /** @returns {Promise<Shown>} */
  async #subscribe() {
    this.#isOn = false;
    const key = await serverKey();
    const subscription = await subscribed(key);
    const body = JSON.stringify({ ...subscription.toJSON(), language: this.#page.language.tag });
    for (const sessionId of this.#open) {
      const answer = await this.#send(sessionId, "PUT", "", body);
      if (answer.ok) keep(sessionId, { id: (await answer.json()).id, endpoint: subscription.endpoint, key });
      else if (!(await hasEnded(answer))) return "push_failed";
      this.#isOn ||= answer.ok;
    }
    return this.#isOn ? "notify_on" : "push_failed";
  }

  /** @returns {Promise<Shown>} */
  async #end() {
    const stored = storedIds();
    for (const sessionId of this.#page.ids.filter((id) => stored[id])) {
      const { status } = await this.#send(sessionId, "DELETE", `/${stored[sessionId]?.id}`);
      if (status !== 204 && status !== 404) return "push_failed";
      keep(sessionId);
    }
    return "push_offer";
  }

  /** @param {string} sessionId @param {string} method @param {string} path @param {string} [body] */
  #send(sessionId, method, path, body) {
    const link = this.#page.visit.isByLink ? "?link=1" : "";
    const url = `api/progress/${encodeURIComponent(sessionId)}/push${path}${link}`;
    return fetch(url, { method, ...(body && { body, headers: { "Content-Type": "application/json" } }) });
  }
}

/** A question that was closed may be asked again. @param {NotificationPermission} permission @returns {Shown} */
function refused(permission) {
  return permission === "denied" ? "notify_denied" : "push_offer";
}

/** Whether there is nothing to be notified of any more. @param {Response} answer */
async function hasEnded(answer) {
  return answer.status === 404 || (answer.status === 409 && /request-out-of-time/.test((await answer.json()).type));
}

/** @returns {Promise<string>} */
async function serverKey() {
  return (await (await fetch("api/push")).json()).key;
}

/** The browser's subscription to the server's key; one to a former key is ended. @param {string} key */
async function subscribed(key) {
  const policy = { createScriptURL: () => WORKER };
  workerUrl ??=
    /** @type {any} */ (globalThis).trustedTypes?.createPolicy("progress-sse", policy).createScriptURL("") ?? WORKER;
  await navigator.serviceWorker.register(/** @type {string} */ (workerUrl));
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

/** Servers at other paths of the origin keep their own. */
function storageKey() {
  return `progress-push ${document.baseURI}`;
}

/** @returns {Record<string, Kept>} */
function storedIds() {
  try {
    return JSON.parse(localStorage.getItem(storageKey()) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {string} sessionId @param {Kept} [kept] */
function keep(sessionId, kept) {
  try {
    localStorage.setItem(storageKey(), JSON.stringify({ ...storedIds(), [sessionId]: kept }));
  } catch {
    // A full or forbidden storage: after a reload the button is off.
  }
}

function canPush() {
  return "serviceWorker" in navigator && "PushManager" in globalThis && top === self;
}

/** In Safari of a phone or tablet, where only a page on the home screen can be notified; iPads name a Macintosh. */
function isTabOfApple() {
  const { standalone } = /** @type {{standalone?: boolean}} */ (navigator);
  return standalone === false && isSecureContext && top === self;
}
