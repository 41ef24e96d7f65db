/*
 * One session as people see it, in whatever root its element is put: the page, or the shadow root of <progress-steps>.
 * It follows the session by a tracker of its own, and writes the document once a frame however fast updates come.
 */
import { Badge } from "./connection-badge.js";
import { copyButton, fill, isolated, make, makeButton, nodesOf, setText, show } from "./dom.js";
import { ProgressTracker } from "./index.js";
import {
  failedSteps,
  headlineOf,
  milestoneOf,
  needsDefinitions,
  remember,
  retryOf,
  silence_ms,
  timeLeft,
  took_ms,
  withDefinitions,
} from "./session-state.js";
import { StepList } from "./step-list.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").Memory} Memory */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").TrackerState} TrackerState */

/**
 * @typedef {object} ViewOptions
 * @property {Language} language
 * @property {"h1" | "h2" | "p"} heading The tag of the headline; `h1`: the page is about this session alone.
 * @property {string} [label] Shown in place of the session's id, and the name of its bar.
 * @property {boolean} timeline
 * @property {(text: string) => void} announce Tells a milestone to who cannot see.
 * @property {((sessionId: string, data: Progress) => void) | null} [retry] Tries a failed session again. Default: null,
 *   and no button for it.
 * @property {import("./wire.js").TrackerOptions} [tracker]
 * @property {(memory: Memory) => void} [onchange] Something has changed; not yet drawn.
 * @property {(data: Progress) => void} [ondraw]
 * @property {(state: TrackerState) => void} [onstatechange]
 */

/** Below this the bar is too short for the number in it. */
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
  /** Aborted when it stops. */
  #running = new AbortController();
  /** @type {import("./wire.js").ProgressTracker | null} */
  #tracker = null;
  /** @type {Memory | null} */
  #memory = null;
  /** As it was drawn last. @type {Memory | null} */
  #drawn = null;
  #frame = 0;
  /** What a connection brings that was away is no movement. */
  #isCatchingUp = true;
  #hasAsked = false;

  /** @param {string} sessionId @param {ViewOptions} options */
  constructor(sessionId, options) {
    const { language } = options;
    this.#sessionId = sessionId;
    this.#options = options;
    this.#language = language;
    this.#badge = new Badge(language, this.element);
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
    return this.#memory?.data ?? null;
  }

  get memory() {
    return this.#memory;
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
    tracker.addEventListener("statechange", () => this.#follow(tracker), { signal });
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#badge.follow(tracker.state, tracker.interval), { signal });
    }
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticker));
    void tracker.start();
  }

  /** Leaves nothing behind but the element. */
  stop() {
    this.#running.abort();
    this.#badge.rest();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  // Making it.

  #head() {
    const { label } = this.#options;
    const id = isolated(label ?? this.#sessionId, "session-id");
    const name = label === undefined ? [this.#language.text("session"), " ", id] : [id];
    return make("header", "head", make("p", "job", ...name), this.#badge.element);
  }

  #card() {
    const facts = make("p", "facts", this.#counted, " ", this.#timeLeft);
    // An alert has to be there before it says something.
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

  /** The page is about nothing else. */
  get #isAlone() {
    return this.#options.heading === "h1";
  }

  #failureActions() {
    const copy = copyButton(this.#language.texts, () => this.#failureText(), this.#options.announce);
    this.#retry.addEventListener("click", () => {
      if (this.#memory) this.#options.retry?.(this.#sessionId, this.#memory.data);
    });
    const actions = make("p", "actions", copy, this.#retry);
    actions.hidden = true;
    return actions;
  }

  // Following the session.

  /** @param {Progress} data */
  #update(data) {
    const tracker = this.#tracker;
    if (!tracker) return;
    const before = this.#memory;
    if (before && !isConnected(tracker) && before.json === JSON.stringify(data)) return;
    this.#memory = remember(before, data, tracker.now());
    if (!this.#hasAsked && needsDefinitions(this.#memory)) void this.#askForDefinitions();
    if (this.#memory.json !== before?.json) this.#options.onchange?.(this.#memory);
    this.#drawSoon();
  }

  /** For a page that was opened midway: how long the running step may take is seen only where it begins. */
  async #askForDefinitions() {
    this.#hasAsked = true;
    const { baseUrl = ProgressTracker.baseUrl, withCredentials } = this.#options.tracker ?? {};
    try {
      const answer = await fetch(`${baseUrl}/api/steps`, {
        credentials: withCredentials ? "include" : "same-origin",
        signal: this.#running.signal,
      });
      const definitions = await answer.json();
      if (this.#memory && Array.isArray(definitions.steps)) this.#memory = withDefinitions(this.#memory, definitions);
      this.#drawSoon();
    } catch {
      // Then there is no estimate.
    }
  }

  /** @param {import("./wire.js").ProgressTracker} tracker */
  #follow(tracker) {
    const { state } = tracker;
    this.#badge.follow(state, tracker.interval);
    if (state === "connecting" || state === "reconnecting") this.#isCatchingUp = true;
    if (state === "denied" && !this.#memory) fill(this.#headline, nodesOf(this.#language, "denied"));
    this.#options.onstatechange?.(state);
    this.#drawSoon();
  }

  #tick() {
    // What somebody may not see any more may be long over, and must not look alive.
    if (this.#memory?.data.status === "running" && this.#tracker?.polling) this.#drawSoon();
  }

  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  // Drawing.

  #draw() {
    this.#frame = 0;
    const memory = this.#memory;
    if (!memory || !this.#tracker) return;
    const now_ms = this.#tracker.now();
    const { data } = memory;
    this.#showMotion(isConnected(this.#tracker), memory !== this.#drawn);
    this.element.dataset.status = data.status;
    const { key, values } = headlineOf(data);
    fill(this.#headline, nodesOf(this.#language, key, values));
    this.#showFacts(memory, now_ms);
    this.#showNote(memory, now_ms);
    this.#showBar(memory);
    this.#showFailure(data);
    this.#list.show(data.steps, now_ms);
    if (this.#options.timeline) this.#timeline.show(data.steps, now_ms);
    this.#announce(memory);
    this.#drawn = memory;
    this.#options.ondraw?.(data);
  }

  /** @param {boolean} isSettled @param {boolean} isUpdate What was missed may come after the first heartbeat. */
  #showMotion(isSettled, isUpdate) {
    this.element.toggleAttribute("data-moving", isSettled && !this.#isCatchingUp);
    if (isSettled && isUpdate) this.#isCatchingUp = false;
  }

  /** @param {Memory} memory @param {number} now_ms */
  #showFacts(memory, now_ms) {
    const { data } = memory;
    const done = data.steps.filter(({ status }) => status === "success").length;
    const counted = this.#language.plural("counted", data.total_steps);
    if (data.status === "not_found") fill(this.#counted, nodesOf(this.#language, "soon"));
    else fill(this.#counted, nodesOf(this.#language, counted, { done, total: data.total_steps }));
    setText(this.#timeLeft, this.#timeText(memory, now_ms));
  }

  /** @param {Memory} memory @param {number} now_ms */
  #timeText(memory, now_ms) {
    if (memory.data.status === "completed") {
      return this.#language.text("took", { duration: this.#language.duration(took_ms(memory.data)) });
    }
    const left = timeLeft(memory, now_ms);
    if (left === null) return "";
    return left === "longer"
      ? this.#language.text("longer")
      : this.#language.text("time_left", { time: this.#language.roughly(left) });
  }

  /** What makes the bar less than it seems. @param {Memory} memory @param {number} now_ms */
  #showNote(memory, now_ms) {
    const silent_ms = this.#tracker && isConnected(this.#tracker) ? silence_ms(memory, now_ms) : null;
    this.element.toggleAttribute("data-silent", silent_ms !== null);
    if (silent_ms !== null) {
      show(this.#note, nodesOf(this.#language, "silence", { duration: this.#language.duration(silent_ms) }));
    } else {
      const retry = retryOf(memory);
      show(this.#note, retry ? nodesOf(this.#language, retry.key, retry.values) : []);
    }
  }

  /** @param {Memory} memory */
  #showBar({ data, percentage }) {
    this.#fillBar(percentage);
    // A progressbar without a value is one whose end is not known.
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
    // It may scroll, and then the keyboard has to get there.
    text.tabIndex = 0;
    return [title, text];
  }

  #failureText() {
    return failedSteps(this.#memory?.data ?? { steps: [] })
      .map(({ step, name, error }) =>
        [this.#language.text("failure", { step, name }), error].filter(Boolean).join("\n"),
      )
      .join("\n\n");
  }

  /** @param {Memory} memory */
  #announce(memory) {
    const milestone = this.#drawn && milestoneOf(this.#drawn, memory);
    if (!milestone) return;
    const text = this.#language.text(milestone.key, milestone.values);
    const name = this.#options.label ?? this.#sessionId;
    this.#options.announce(this.#isAlone ? text : this.#language.text("said_of", { name, text }));
  }
}

/** @param {import("./wire.js").ProgressTracker} tracker */
function isConnected({ state }) {
  return state === "live" || state === "polling" || state === "finished";
}
