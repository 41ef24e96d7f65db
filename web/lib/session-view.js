/*
 * Shows one session, in the page or in the shadow root of <progress-steps>. It follows the session by its own tracker,
 * and writes to the document once a frame, however fast updates arrive.
 */
import { make } from "./dom.js";
import { conclusionOf, headlineOf } from "./headline.js";
import { ProgressTracker } from "./index.js";
import { Later } from "./later.js";
import { NextRunWatch } from "./next-run-watch.js";
import { SessionCard } from "./session-card.js";
import { SessionControls } from "./session-controls.js";
import { SessionHead } from "./session-head.js";
import { SessionNews } from "./session-news.js";
import { knowing, movedOn, nextState } from "./session-state.js";
import { StepTimes } from "./step-times.js";
import { isIdle } from "./steps.js";
import { timeLeft } from "./time-left.js";
import { timeWords } from "./time-words.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-log.js").SessionLog} SessionLog */
/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").TrackerState} TrackerState */

/**
 * @typedef {object} ViewOptions
 * @property {Language} language
 * @property {"h1" | "h2" | "p"} heading The tag of the title; `h1`: the page is about this session alone, and opens the
 *   log of a step that fails.
 * @property {string} [label] Shown in place of the session's id, and the name of its bar.
 * @property {boolean} timeline Bars of time beside the durations of the steps.
 * @property {boolean} [isCompact] The steps are closed at first, as one session among many.
 * @property {boolean} [hasSigns] Default: false; see `ItemOptions`.
 * @property {HTMLElement} [tools] What the page offers for this session, beside its connection.
 * @property {HTMLElement} [home] The way to where the session is one of many, above its name.
 * @property {boolean} [isPreloaded] The browser has loaded the state with the page. Default: false.
 * @property {(text: string) => void} announce Announces a milestone to a screen reader.
 * @property {((sessionId: string, data: Progress) => void) | null} [retry] Retries a failed session. Default: null, and
 *   no button.
 * @property {import("./wire.js").TrackerOptions} [tracker]
 * @property {(state: SessionState) => void} [onchange] The state has changed, and is not drawn yet.
 * @property {() => void} [onmove] The bar has moved by itself.
 * @property {(data: Progress) => void} [ondraw]
 * @property {(state: TrackerState) => void} [onstatechange]
 */

const TICK_MS = 1000;

export class SessionView {
  element = make("article", "session");
  #sessionId;
  #options;
  #language;
  #head;
  #controls;
  /** Of a session that has one. @type {Later<SessionLog>} */
  #log = new Later(
    () => this.#loadLog(),
    (log) => this.#addLog(log),
  );
  #card;
  #stepTimes;
  #news;
  /** Aborted when the view stops. */
  #running = new AbortController();
  /** @type {import("./wire.js").ProgressTracker | null} */
  #tracker = null;
  #nextRun = new NextRunWatch(() => this.#lookForNextRun());
  /** @type {SessionState | null} */
  #sessionState = null;
  /** The state that was drawn last. @type {SessionState | null} */
  #drawn = null;
  #frame = 0;
  /** After an interruption, the updates that were missed are drawn without animation. */
  #isCatchingUp = true;

  /** @param {string} sessionId @param {ViewOptions} options */
  constructor(sessionId, options) {
    const { language, heading, label, tools, home, hasSigns = false, isCompact = false } = options;
    this.#sessionId = sessionId;
    this.#options = options;
    this.#language = language;
    this.#head = new SessionHead(language, this.element, { heading, sessionId, label, tools, home });
    this.#controls = new SessionControls(language, {
      announce: options.announce,
      jobName: () => label ?? this.data?.title ?? sessionId,
      retry: () => this.#ownRetry(),
      onChange: () => this.#drawSoon(),
      onFocusLost: () => this.#card.headline.focus(),
    });
    this.#card = new SessionCard(language, this.element, {
      barName: this.#barName(),
      isCompact,
      items: { hasTimeline: options.timeline, hasSigns, loadParts: (step) => this.#loadParts(step) },
      controls: this.#controls,
    });
    this.#stepTimes = new StepTimes((known) => this.#learn(known));
    this.#news = new SessionNews(language, (state) => this.#headlineOf(state, this.#tracker?.now()));
    this.element.lang = language.tag;
    this.element.dir = "ltr";
    this.element.dataset.status = "connecting";
    this.element.toggleAttribute("data-compact", isCompact);
    this.element.append(this.#head.element, this.#card.element);
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
      onUpdate: (data) => void (signal.aborted || this.#update(data)),
      signal,
    });
    this.#tracker = tracker;
    this.#controls.start(tracker, signal);
    this.#log.part?.start(tracker, signal);
    tracker.addEventListener("statechange", () => this.#onStateChange(tracker), { signal });
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#head.badge.update(tracker.state, tracker.interval), { signal });
    }
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticker));
    void tracker.start();
    // Without a stream the tracker polls by itself. With one, the state that is here already comes a round trip sooner.
    if (this.#options.isPreloaded && "EventSource" in globalThis) void tracker.poll();
  }

  /** Opens the log, or closes it. */
  toggleLog() {
    this.#log.part?.toggle();
  }

  /** Leaves only the element behind. */
  stop() {
    this.#running.abort();
    this.#nextRun.stop();
    this.#head.badge.stop();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  // Building the element

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

  #ownRetry() {
    const { retry } = this.#options;
    return retry ? () => void (this.data && retry(this.#sessionId, this.data)) : null;
  }

  // Following the session

  /** @param {Progress} data */
  #update(data) {
    const tracker = this.#tracker;
    if (!tracker) return;
    const before = this.#sessionState;
    if (before && !isConnected(tracker) && before.json === JSON.stringify(data)) return;
    this.#sessionState = nextState(before, data, tracker.now());
    this.#stepTimes.update(this.#sessionState, tracker, this.#running.signal);
    if (this.#sessionState.json !== before?.json) this.#options.onchange?.(this.#sessionState);
    this.#drawSoon();
  }

  async #loadLog() {
    const { SessionLog } = await import("./session-log.js");
    return new SessionLog(this.#language, {
      sessionId: this.#sessionId,
      announce: this.#options.announce,
      attach: (step, panel) => this.#card.attach(step, panel),
      opensFailed: this.#isAlone,
      onChange: () => this.#drawSoon(),
    });
  }

  /** @param {SessionLog} log */
  #addLog(log) {
    this.#card.addLog(log);
    if (this.#tracker) log.start(this.#tracker, this.#running.signal);
    this.#drawSoon();
  }

  /** @param {number} step */
  async #loadParts(step) {
    return (await this.#tracker?.parts(step, { signal: this.#running.signal })) ?? [];
  }

  /** @param {Partial<import("./usual-times.js").KnownSteps>} known */
  #learn(known) {
    if (!this.#sessionState || !this.#tracker) return;
    this.#sessionState = knowing(this.#sessionState, known, this.#tracker.now());
    this.#drawSoon();
  }

  /** @param {import("./wire.js").ProgressTracker} tracker */
  #onStateChange(tracker) {
    const { state } = tracker;
    // Between two runs a token may expire, which does not concern the one that is shown.
    if (state === "denied" && this.data?.status === "completed") return;
    this.#head.badge.update(state, tracker.interval);
    if (state === "connecting" || state === "reconnecting") this.#isCatchingUp = true;
    if (state === "denied" && !this.#sessionState) this.#card.headline.deny();
    if (state === "finished") this.#nextRun.start();
    if (state === "live" || state === "polling") this.#controls.onConnected();
    this.#options.onstatechange?.(state);
    this.#drawSoon();
  }

  /** A tracker that has finished stays so, also when a poll shows another run. */
  async #lookForNextRun() {
    const { signal } = this.#running;
    await this.#tracker?.poll();
    if (signal.aborted || this.data?.status === "completed") return;
    this.#nextRun.stop();
    void this.#tracker?.start();
  }

  #tick() {
    const [state, tracker] = [this.#sessionState, this.#tracker];
    // After a denial the session may have ended, and must not look alive.
    if (state?.data.status !== "running" || !tracker?.polling) return;
    this.#sessionState = isConnected(tracker) ? movedOn(state, tracker.now()) : state;
    if (this.#sessionState !== state) this.#options.onmove?.();
    this.#drawSoon();
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
    const isSettled = isConnected(this.#tracker);
    this.#showMotion(isSettled, state !== this.#drawn);
    this.element.dataset.status = state.isDeleted ? "deleted" : data.status;
    this.element.dataset.conclusion = conclusionOf(data) ?? "";
    if (data.log) void this.#log.need();
    this.#head.show(state, now_ms);
    const left = timeLeft(state, now_ms);
    const words = timeWords(left, now_ms, this.#language);
    const sentence = this.#headlineOf(state, now_ms);
    this.#card.show(state, now_ms, { sentence, timeLeft: words, isConnected: isSettled });
    const news = this.#news.next(state, { words, isLate: typeof left === "string", isIdle: isIdle(data, now_ms) });
    if (news) this.#announce(news);
    this.#drawn = state;
    this.#options.ondraw?.(data);
  }

  /** @param {SessionState} state @param {number} [now_ms] */
  #headlineOf({ data, isDeleted }, now_ms = 0) {
    return headlineOf(data, { isDeleted, isOwn: (request) => this.#controls.isOwn(request), now_ms });
  }

  /** @param {boolean} isSettled @param {boolean} isUpdate Missed updates may follow the first heartbeat. */
  #showMotion(isSettled, isUpdate) {
    this.element.toggleAttribute("data-moving", isSettled && !this.#isCatchingUp);
    if (isSettled && isUpdate) this.#isCatchingUp = false;
  }

  /** @param {string} text */
  #announce(text) {
    const name = this.#options.label ?? this.#sessionId;
    this.#options.announce(this.#isAlone ? text : this.#language.text("announcement", { name, text }));
  }
}

/** @param {import("./wire.js").ProgressTracker} tracker */
function isConnected({ state }) {
  return state === "live" || state === "polling" || state === "finished";
}
