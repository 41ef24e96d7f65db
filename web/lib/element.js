/*
 * <progress-steps session="…"> shows one session, or several, in a shadow root. Importing this file registers nothing;
 * define.js does.
 *
 * Attributes, each with a property of its name in camel case: `session`, or `sessions` (ids, separated by blanks);
 * `base-url` (default: where this file came from); `interval` and `transport` (as for ProgressTracker); `label` (shown
 * in place of the id of a `session`); `lang` (en, ja; default: the surrounding language, or else the browser's);
 * `timeline` (bars of time beside the durations); `compact` (closes the steps at first). `token`, as for ProgressTracker, is only a property:
 * every script and style could read an attribute.
 *
 * Events, which bubble out of shadow roots: `progress-update`, `progress-complete` and `progress-error` (`detail`:
 * `session`, `data`), `progress-statechange` (`detail`: `session`, `state`). The element shows its children until it has
 * data. `onretry`, a function of the session's id and its data, adds a button to the failure report.
 *
 * Style it by its parts, by custom properties (`--accent`, `--card`, …), and by `:state(running)` and the like.
 */
import { Announcer } from "./announcer.js";
import { make } from "./dom.js";
import { ProgressTracker } from "./index.js";
import { combined } from "./page-title.js";
import { SessionView } from "./session-view.js";
import { adoptStyles } from "./style-sheet.js";
import { surroundingLanguage } from "./surrounding-language.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-view.js").ViewOptions} ViewOptions */

const PROPERTIES = [
  "session",
  "sessions",
  "baseUrl",
  "interval",
  "transport",
  "label",
  "timeline",
  "compact",
  "token",
  "onretry",
];
const STATES = ["connecting", "not_found", "pending", "running", "completed", "error"];

// A server that renders pages can import this file too: it has no HTMLElement.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class ProgressSteps extends Base {
  static observedAttributes = [
    "session",
    "sessions",
    "base-url",
    "interval",
    "transport",
    "label",
    "lang",
    "timeline",
    "compact",
  ];

  #internals = this.attachInternals();
  #root = this.attachShadow({ mode: "open" });
  #fallback = make("slot");
  #content = make("div", "sessions");
  #region = make("p", "visually-hidden");
  #announcer = new Announcer(this.#region);
  /** @type {Map<string, SessionView>} */
  #views = new Map();
  /** @type {NonNullable<ViewOptions["retry"]> | null} */
  #onretry = null;
  /** @type {NonNullable<import("./wire.js").TrackerOptions["token"]> | null} */
  #token = null;
  #isStarted = false;
  #isChanging = false;

  constructor() {
    super();
    this.#content.hidden = true;
    this.#region.ariaLive = "polite";
    this.#region.ariaAtomic = "true";
    this.#root.append(this.#fallback, this.#content, this.#region);
  }

  connectedCallback() {
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

  get session() {
    return this.getAttribute("session") ?? "";
  }

  set session(value) {
    this.setAttribute("session", value);
  }

  get sessions() {
    return this.getAttribute("sessions") ?? "";
  }

  set sessions(value) {
    this.setAttribute("sessions", value);
  }

  get baseUrl() {
    return this.getAttribute("base-url")?.replace(/\/$/, "") ?? ProgressTracker.baseUrl;
  }

  set baseUrl(value) {
    this.setAttribute("base-url", value);
  }

  get interval() {
    return Number(this.getAttribute("interval")) || 2000;
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

  get label() {
    return this.getAttribute("label") ?? "";
  }

  set label(value) {
    this.setAttribute("label", value);
  }

  get timeline() {
    return this.hasAttribute("timeline");
  }

  set timeline(value) {
    this.toggleAttribute("timeline", value);
  }

  get compact() {
    return this.hasAttribute("compact");
  }

  set compact(value) {
    this.toggleAttribute("compact", value);
  }

  get token() {
    return this.#token;
  }

  set token(value) {
    const token = value ?? null; // Frameworks set undefined.
    const before = this.#token;
    if (token === before) return;
    this.#token = token;
    if (typeof token !== "function" || typeof before !== "function") {
      this.#restartSoon();
      return;
    }
    relayOf(before).replaceBy(token);
  }

  get onretry() {
    return this.#onretry;
  }

  set onretry(handler) {
    this.#onretry = typeof handler === "function" ? handler : null;
    for (const view of this.#views.values()) view.retry = this.#onretry;
  }

  /** The data of the sessions that have been loaded, by id. */
  get data() {
    const known = [...this.#views].flatMap(([id, { data }]) => (data ? [/** @type {const} */ ([id, data])] : []));
    return Object.fromEntries(known);
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

  /** @returns {string[]} */
  get #sessionIds() {
    return this.session ? [this.session] : [...new Set(this.sessions.split(/\s+/))].filter(Boolean);
  }

  #start() {
    if (this.#views.size) return;
    const language = surroundingLanguage(this, () => this.#restartSoon());
    if (!language) return;
    for (const id of this.#sessionIds) this.#views.set(id, this.#viewOf(id, language));
    this.#content.replaceChildren(...[...this.#views.values()].map(({ element }) => element));
    this.#showState();
    for (const view of this.#views.values()) view.start();
  }

  #stop() {
    for (const view of this.#views.values()) view.stop();
    this.#views.clear();
    this.#announcer.stop();
  }

  /** @param {string} session @param {Language} language */
  #viewOf(session, language) {
    /** @type {import("./wire.js").SessionStatus | undefined} */
    let status;
    return new SessionView(session, {
      language,
      heading: "p",
      ...(this.label && this.session && { label: this.label }),
      timeline: this.timeline,
      isCompact: this.compact,
      announce: (text) => this.#announcer.say(text, session),
      retry: this.#onretry,
      tracker: {
        interval: this.interval,
        transport: this.transport,
        baseUrl: this.baseUrl,
        ...(this.#token !== null && {
          token: typeof this.#token === "function" ? relayOf(this.#token).call : this.#token,
        }),
      },
      onchange: ({ data }) => {
        const before = status;
        status = data.status;
        this.#showState();
        this.#dispatch("update", { session, data });
        if (status === before) return;
        if (status === "completed") this.#dispatch("complete", { session, data });
        if (status === "error") this.#dispatch("error", { session, data });
      },
      onstatechange: (state) => {
        if (state === "denied") this.#showContent();
        this.#dispatch("statechange", { session, state });
      },
    });
  }

  #showState() {
    const states = [...this.#views.values()].flatMap(({ sessionState }) => sessionState ?? []);
    const status = states.length ? combined(states, this.#views.size).status : "connecting";
    for (const state of STATES) {
      if (state === status) this.#internals.states.add(state);
      else this.#internals.states.delete(state);
    }
    if (states.length) this.#showContent();
  }

  /** From now on the content is shown in place of the children. */
  #showContent() {
    this.#fallback.hidden = true;
    this.#content.hidden = false;
  }

  /** @param {"update" | "complete" | "error" | "statechange"} name @param {object} detail */
  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(`progress-${name}`, { detail, bubbles: true, composed: true }));
  }
}
