/*
 * <progress-list prefix="nightly-"> lists sessions in a shadow root, live. Importing this file registers nothing;
 * define-list.js does.
 *
 * Attributes, each with a property of its name in camel case: `prefix` of the ids; `label` (`key:value`; several on lines
 * of their own); `status`, any of several, which blanks separate; `base-url`, `interval` and `transport` as for
 * <progress-steps>; `lang`. `token`, as for a tracker, is only a property.
 *
 * Events, which bubble out of shadow roots: `progress-list` (`detail`: `sessions`, `more`) after each change, and
 * `progress-liststatechange` (`detail`: `state`). The element shows its children while there are no sessions.
 */
import { make } from "./dom.js";
import { ProgressTracker } from "./index.js";
import { labelsIn, statusesIn } from "./list-filter.js";
import { LIST_CSS } from "./list-styles.js";
import { LiveList } from "./live-list.js";
import { adoptStyles } from "./style-sheet.js";
import { surroundingLanguage } from "./surrounding-language.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./wire.js").ListTrackerOptions} ListTrackerOptions */

const ATTRIBUTES = ["prefix", "label", "status", "base-url", "interval", "transport", "lang"];
const PROPERTIES = ["prefix", "label", "status", "baseUrl", "interval", "transport", "token"];

// A server that renders pages can import this file too: it has no HTMLElement.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class ProgressList extends Base {
  static observedAttributes = ATTRIBUTES;

  #root = this.attachShadow({ mode: "open" });
  #region = make("p", "visually-hidden");
  #content = make("div", "list-content");
  /** @type {LiveList | null} */
  #list = null;
  /** @type {NonNullable<ListTrackerOptions["token"]> | null} */
  #token = null;
  #isStarted = false;
  #isChanging = false;

  constructor() {
    super();
    this.#region.ariaLive = "polite";
    this.#region.ariaAtomic = "true";
    this.#root.append(this.#content, this.#region);
  }

  connectedCallback() {
    adoptStyles(this.#root, LIST_CSS);
    adoptStyles(this.#root);
    this.#takeProperties();
    this.#isStarted = true;
    this.#start();
  }

  disconnectedCallback() {
    this.#isStarted = false;
    this.#stop();
  }

  /** @param {string} _name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(_name, before, now) {
    if (before !== now) this.#restartSoon();
  }

  #restartSoon() {
    if (this.#isChanging || !this.#isStarted) return;
    this.#isChanging = true;
    // Attributes that are set together cause one restart.
    queueMicrotask(() => {
      this.#isChanging = false;
      if (!this.#isStarted) return;
      this.#stop();
      this.#start();
    });
  }

  /** Other elements have the prefix of their name here, which HTML does not use. @override */
  get prefix() {
    return this.getAttribute("prefix") ?? "";
  }

  /** @override */
  set prefix(value) {
    this.setAttribute("prefix", value);
  }

  get label() {
    return this.getAttribute("label") ?? "";
  }

  set label(value) {
    this.setAttribute("label", value);
  }

  get status() {
    return /** @type {import("./progress-list.js").ProgressList["status"]} */ (this.#statuses.join(" "));
  }

  set status(value) {
    this.setAttribute("status", value);
  }

  /** Those that there are, in an order of their own. */
  get #statuses() {
    return statusesIn((this.getAttribute("status") ?? "").split(/[\s,]+/));
  }

  get baseUrl() {
    return this.getAttribute("base-url")?.replace(/\/$/, "") ?? ProgressTracker.baseUrl;
  }

  set baseUrl(value) {
    this.setAttribute("base-url", value);
  }

  get interval() {
    return Number(this.getAttribute("interval")) || 3000;
  }

  set interval(value) {
    this.setAttribute("interval", String(value));
  }

  /** @returns {"auto" | "sse" | "poll"} */
  get transport() {
    const transport = this.getAttribute("transport");
    return transport === "sse" || transport === "poll" ? transport : "auto";
  }

  set transport(value) {
    this.setAttribute("transport", value);
  }

  get token() {
    return this.#token;
  }

  set token(value) {
    const token = value ?? null; // Frameworks set undefined.
    const before = this.#token;
    if (token === before) return;
    this.#token = token;
    if (typeof token === "function" && typeof before === "function") relayOf(before).replaceBy(token);
    else this.#restartSoon();
  }

  /** Properties that a page set before the element was defined hide the accessors. */
  #takeProperties() {
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }

  #start() {
    if (this.#list) return;
    const language = surroundingLanguage(this, () => this.#restartSoon());
    if (!language) return;
    const { baseUrl, interval, transport } = this;
    const token = typeof this.#token === "function" ? relayOf(this.#token).call : this.#token;
    this.#list = new LiveList({
      language,
      fixed: { prefix: this.prefix, labels: labelsIn(this.label.split("\n")), statuses: this.#statuses },
      hrefOf: ({ session_id }) => `${baseUrl}/s/${encodeURIComponent(session_id)}`,
      root: this.#content,
      region: this.#region,
      ...(this.hasChildNodes() && { empty: make("slot") }),
      tracker: { baseUrl, interval, transport, ...(token !== null && { token }) },
      onlist: ({ sessions, more }) => this.#dispatch("progress-list", { sessions, more }),
      onstatechange: (state) => this.#dispatch("progress-liststatechange", { state }),
    });
    this.#content.append(this.#list.badge.element, this.#list.element);
    this.#list.start();
  }

  #stop() {
    this.#list?.stop();
    this.#content.replaceChildren();
    this.#list = null;
  }

  /** @param {string} name @param {object} detail */
  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
