/*
 * Shows one session, in the page or in the shadow root of <progress-steps>. It follows the session by its own tracker,
 * and writes to the document once a frame, however fast updates arrive.
 */
import { ConnectionBadge } from "./connection-badge.js";
import { copyButton, fill, isolated, make, makeButton, nodesOf, setText, show } from "./dom.js";
import { ProgressTracker } from "./index.js";
import {
  failedSteps,
  headlineOf,
  milestoneOf,
  needsDefinitions,
  nextState,
  retryOf,
  silence_ms,
  timeLeft,
  took_ms,
  withDefinitions,
} from "./session-state.js";
import { StepList } from "./step-list.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").TrackerState} TrackerState */

/**
 * @typedef {object} ViewOptions
 * @property {Language} language
 * @property {"h1" | "h2" | "p"} heading The tag of the headline; `h1`: the page is about this session alone.
 * @property {string} [label] Shown in place of the session's id, and the name of its bar.
 * @property {boolean} timeline
 * @property {(text: string) => void} announce Announces a milestone to a screen reader.
 * @property {((sessionId: string, data: Progress) => void) | null} [retry] Retries a failed session. Default: null, and
 *   no button.
 * @property {import("./wire.js").TrackerOptions} [tracker]
 * @property {(state: SessionState) => void} [onchange] The state has changed, and is not drawn yet.
 * @property {(data: Progress) => void} [ondraw]
 * @property {(state: TrackerState) => void} [onstatechange]
 */

/** A shorter bar has no room for its number. */
const NARROW_PERCENT = 16;
const TICK_MS = 1000;

export class SessionView {
  element = make("article", "session");
  #sessionId;
  #options;
  #language;
  #badge;
  #list;
  #timeline;
  #headline;
  #counted = make("span", "counted");
  #timeLeft = make("span", "time-left");
  #note = make("p", "note");
  #bar = make("div", "bar");
  #percent = make("span", "percent");
  #fill = make("div", "fill", this.#percent);
  #alert = make("div", "alert");
  #retry;
  #actions;
  /** Aborted when the view stops. */
  #running = new AbortController();
  /** @type {import("./wire.js").ProgressTracker | null} */
  #tracker = null;
  /** @type {SessionState | null} */
  #sessionState = null;
  /** The state that was drawn last. @type {SessionState | null} */
  #drawn = null;
  #frame = 0;
  /** After an interruption, the updates that were missed are drawn without animation. */
  #isCatchingUp = true;
  #hasRequestedDefinitions = false;

  /** @param {string} sessionId @param {ViewOptions} options */
  constructor(sessionId, options) {
    const { language } = options;
    this.#sessionId = sessionId;
    this.#options = options;
    this.#language = language;
    this.#badge = new ConnectionBadge(language, this.element);
    this.#list = new StepList(language);
    this.#timeline = new Timeline(language);
    this.#headline = make(options.heading, "headline", language.text("connecting"));
    this.#retry = makeButton("retry", language.text("retry"));
    this.#actions = this.#failureActions();
    this.#prepareBar();
    this.element.lang = language.tag;
    this.element.dir = "ltr";
    this.element.dataset.status = "connecting";
    this.element.append(this.#head(), this.#card());
  }

  get data() {
    return this.#sessionState?.data ?? null;
  }

  get sessionState() {
    return this.#sessionState;
  }

  /** @param {ViewOptions["retry"]} retry */
  set retry(retry) {
    this.#options = { ...this.#options, retry: retry ?? null };
    this.#drawSoon();
  }

  start() {
    this.#running = new AbortController();
    const { signal } = this.#running;
    const tracker = new ProgressTracker(this.#sessionId, {
      ...this.#options.tracker,
      stopOnError: false,
      onUpdate: (data) => this.#update(data),
      signal,
    });
    this.#tracker = tracker;
    tracker.addEventListener("statechange", () => this.#onStateChange(tracker), { signal });
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#badge.update(tracker.state, tracker.interval), { signal });
    }
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticker));
    void tracker.start();
  }

  /** Leaves only the element behind. */
  stop() {
    this.#running.abort();
    this.#badge.stop();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  // Building the element

  #head() {
    const { label } = this.#options;
    const id = isolated(label ?? this.#sessionId, "session-id");
    const name = label === undefined ? [this.#language.text("session"), " ", id] : [id];
    return make("header", "head", make("p", "job", ...name), this.#badge.element);
  }

  #card() {
    const facts = make("p", "facts", this.#counted, " ", this.#timeLeft);
    // A screen reader announces only an alert that was there before its text.
    const failure = make("div", "failure", this.#alert, this.#actions);
    const card = make("section", "card", this.#headline, facts, this.#bar, this.#note, failure, this.#list.element);
    if (this.#options.timeline) card.append(this.#timeline.element);
    return card;
  }

  #prepareBar() {
    this.#note.hidden = true;
    this.#alert.role = "alert";
    this.#bar.role = "progressbar";
    this.#bar.ariaLabel = this.#barName();
    this.#bar.ariaValueMin = "0";
    this.#bar.ariaValueMax = "100";
    this.#bar.append(this.#fill);
    this.#fillBar(0);
  }

  #barName() {
    const { label } = this.#options;
    if (label !== undefined) return label;
    return this.#isAlone
      ? this.#language.text("progress")
      : this.#language.text("progress_of", { name: this.#sessionId });
  }

  /** The page shows no other session. */
  get #isAlone() {
    return this.#options.heading === "h1";
  }

  #failureActions() {
    const copy = copyButton(this.#language.texts, () => this.#failureText(), this.#options.announce);
    this.#retry.addEventListener("click", () => {
      if (this.#sessionState) this.#options.retry?.(this.#sessionId, this.#sessionState.data);
    });
    const actions = make("p", "actions", copy, this.#retry);
    actions.hidden = true;
    return actions;
  }

  // Following the session

  /** @param {Progress} data */
  #update(data) {
    const tracker = this.#tracker;
    if (!tracker) return;
    const before = this.#sessionState;
    if (before && !isConnected(tracker) && before.json === JSON.stringify(data)) return;
    this.#sessionState = nextState(before, data, tracker.now());
    if (!this.#hasRequestedDefinitions && needsDefinitions(this.#sessionState)) void this.#requestDefinitions();
    if (this.#sessionState.json !== before?.json) this.#options.onchange?.(this.#sessionState);
    this.#drawSoon();
  }

  /** Only a step's start shows its estimate, so a page that was opened midway asks for the definitions. */
  async #requestDefinitions() {
    this.#hasRequestedDefinitions = true;
    const { baseUrl = ProgressTracker.baseUrl, withCredentials } = this.#options.tracker ?? {};
    try {
      const answer = await fetch(`${baseUrl}/api/steps`, {
        credentials: withCredentials ? "include" : "same-origin",
        signal: this.#running.signal,
      });
      const definitions = await answer.json();
      if (this.#sessionState && Array.isArray(definitions.steps)) {
        this.#sessionState = withDefinitions(this.#sessionState, definitions);
      }
      this.#drawSoon();
    } catch {
      // The page has no estimate then.
    }
  }

  /** @param {import("./wire.js").ProgressTracker} tracker */
  #onStateChange(tracker) {
    const { state } = tracker;
    this.#badge.update(state, tracker.interval);
    if (state === "connecting" || state === "reconnecting") this.#isCatchingUp = true;
    if (state === "denied" && !this.#sessionState) fill(this.#headline, nodesOf(this.#language, "denied"));
    this.#options.onstatechange?.(state);
    this.#drawSoon();
  }

  #tick() {
    // After a denial the session may have ended, and must not look alive.
    if (this.#sessionState?.data.status === "running" && this.#tracker?.polling) this.#drawSoon();
  }

  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  // Drawing

  #draw() {
    this.#frame = 0;
    const state = this.#sessionState;
    if (!state || !this.#tracker) return;
    const now_ms = this.#tracker.now();
    const { data } = state;
    this.#showMotion(isConnected(this.#tracker), state !== this.#drawn);
    this.element.dataset.status = data.status;
    const { key, values } = headlineOf(data);
    fill(this.#headline, nodesOf(this.#language, key, values));
    this.#showFacts(state, now_ms);
    this.#showNote(state, now_ms);
    this.#showBar(state);
    this.#showFailure(data);
    this.#list.show(data.steps, now_ms);
    if (this.#options.timeline) this.#timeline.show(data.steps, now_ms);
    this.#announce(state);
    this.#drawn = state;
    this.#options.ondraw?.(data);
  }

  /** @param {boolean} isSettled @param {boolean} isUpdate Missed updates may follow the first heartbeat. */
  #showMotion(isSettled, isUpdate) {
    this.element.toggleAttribute("data-moving", isSettled && !this.#isCatchingUp);
    if (isSettled && isUpdate) this.#isCatchingUp = false;
  }

  /** @param {SessionState} state @param {number} now_ms */
  #showFacts(state, now_ms) {
    const { data } = state;
    const done = data.steps.filter(({ status }) => status === "success").length;
    const counted = this.#language.plural("counted", data.total_steps);
    if (data.status === "not_found") fill(this.#counted, nodesOf(this.#language, "soon"));
    else fill(this.#counted, nodesOf(this.#language, counted, { done, total: data.total_steps }));
    setText(this.#timeLeft, this.#timeText(state, now_ms));
  }

  /** @param {SessionState} state @param {number} now_ms */
  #timeText(state, now_ms) {
    if (state.data.status === "completed") {
      return this.#language.text("took", { duration: this.#language.duration(took_ms(state.data)) });
    }
    const left = timeLeft(state, now_ms);
    if (left === null) return "";
    return left === "longer"
      ? this.#language.text("longer")
      : this.#language.text("time_left", { time: this.#language.roughly(left) });
  }

  /** A silent worker, or a retry. @param {SessionState} state @param {number} now_ms */
  #showNote(state, now_ms) {
    const silent_ms = this.#tracker && isConnected(this.#tracker) ? silence_ms(state, now_ms) : null;
    this.element.toggleAttribute("data-silent", silent_ms !== null);
    if (silent_ms !== null) {
      show(this.#note, nodesOf(this.#language, "silence", { duration: this.#language.duration(silent_ms) }));
    } else {
      const retry = retryOf(state);
      show(this.#note, retry ? nodesOf(this.#language, retry.key, retry.values) : []);
    }
  }

  /** @param {SessionState} state */
  #showBar({ data, percentage }) {
    this.#fillBar(percentage);
    // A progressbar without a value is indeterminate.
    this.#bar.ariaValueNow = data.status === "not_found" ? null : String(percentage);
  }

  /** @param {number} percentage */
  #fillBar(percentage) {
    this.#fill.style.width = `${percentage}%`;
    this.#fill.toggleAttribute("data-narrow", percentage < NARROW_PERCENT);
    setText(this.#percent, `${percentage}%`);
  }

  /** @param {Progress} data */
  #showFailure(data) {
    const failed = failedSteps(data);
    this.#actions.hidden = failed.length === 0;
    this.#retry.hidden = !this.#options.retry;
    fill(
      this.#alert,
      failed.flatMap((step) => this.#failureNodes(step)),
    );
  }

  /** @param {import("./wire.js").StartedStep} step */
  #failureNodes({ step, name, error }) {
    const title = make("p", "failed-step", ...nodesOf(this.#language, "failure", { step, name }));
    if (!error) return [title];
    const text = make("pre", "error-text", isolated(error));
    // A long text scrolls, and the keyboard needs to reach it.
    text.tabIndex = 0;
    return [title, text];
  }

  #failureText() {
    return failedSteps(this.#sessionState?.data ?? { steps: [] })
      .map(({ step, name, error }) =>
        [this.#language.text("failure", { step, name }), error].filter(Boolean).join("\n"),
      )
      .join("\n\n");
  }

  /** @param {SessionState} state */
  #announce(state) {
    const milestone = this.#drawn && milestoneOf(this.#drawn, state);
    if (!milestone) return;
    const text = this.#language.text(milestone.key, milestone.values);
    const name = this.#options.label ?? this.#sessionId;
    this.#options.announce(this.#isAlone ? text : this.#language.text("announcement", { name, text }));
  }
}

/** @param {import("./wire.js").ProgressTracker} tracker */
function isConnected({ state }) {
  return state === "live" || state === "polling" || state === "finished";
}
