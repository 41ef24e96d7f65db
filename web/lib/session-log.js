/*
 * The log of a session: a panel under each step, and one for lines that are of none. The server sends lines only while
 * a panel is open, so before that it is not known which steps have any.
 */
import { endingStep } from "./headline.js";
import { LogLines } from "./log-lines.js";
import { LogPanel } from "./log-panel.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").LogUpdate} LogUpdate */
/** @typedef {import("./wire.js").Progress} Progress */
/** @typedef {import("./wire.js").ProgressTracker} ProgressTracker */
/** @typedef {import("./wire.js").Step} Step */

export class SessionLog {
  #language;
  #options;
  #lines = new LogLines();
  /** The panel of the lines that are of no step. */
  #own;
  /** By the numbers of their steps. @type {Map<number, LogPanel>} */
  #panels = new Map();
  /** @type {Progress | null} */
  #data = null;
  /** @type {ProgressTracker | null} */
  #tracker = null;
  #signal = new AbortController().signal;
  /** Set while lines are sent. @type {AbortController | null} */
  #following = null;
  /** All lines that are kept have come. */
  #isKnown = false;
  /** The steps whose panels are to be drawn. @type {Set<number | null>} */
  #changed = new Set();
  /** The step and the start of the attempt that failed last; "" while none has. */
  #failure = "";
  /** The step whose log is to be opened once it has lines; 0: none. */
  #wanted = 0;
  /** The panel that was opened by itself. @type {LogPanel | null} */
  #opened = null;
  /** The visitor has closed it. */
  #isUnwanted = false;

  /**
   * @param {Language} language
   * @param {object} options
   * @param {string} options.sessionId
   * @param {(text: string) => void} options.announce
   * @param {(step: number, element: HTMLElement) => void} options.attach Puts a panel under its step.
   * @param {boolean} options.opensFailed Whether the log of the step at which the session fails opens by itself.
   * @param {() => void} options.onChange Lines have come, and are not drawn yet.
   */
  constructor(language, options) {
    this.#language = language;
    this.#options = options;
    this.#own = this.#makePanel(null, language.text("log_session"));
    this.element.hidden = true;
  }

  get element() {
    return this.#own.element;
  }

  /** @param {ProgressTracker} tracker @param {AbortSignal} signal Stops it. */
  start(tracker, signal) {
    this.#tracker = tracker;
    this.#signal = signal;
    this.#following = null;
    this.#isKnown = false;
    this.#followOrNot();
  }

  /** Draws what has changed. @param {Progress} data */
  show(data) {
    this.#data = data;
    this.#own.isShown = Boolean(data.log);
    for (const step of data.steps) {
      const isShown = this.#isShown(step);
      if (isShown && !this.#panels.has(step.step)) this.#addPanel(step);
      const panel = this.#panels.get(step.step);
      if (!panel) continue;
      panel.label = this.#labelOf(step); // Another run may have another step of this number.
      panel.errorsFrom_ms = step.status === "error" ? Date.parse(step.started_at ?? "") : NaN;
      this.#place(panel, step.step, isShown);
    }
    for (const [number, panel] of this.#panels) if (number > data.steps.length) panel.isShown = false;
    for (const step of this.#changed) this.#panelOf(step)?.show(this.#lines.of(step), this.#note(step));
    this.#changed.clear();
    this.#revealFailure(data);
  }

  /** @param {LogPanel} panel @param {number} step @param {boolean} isShown */
  #place(panel, step, isShown) {
    const { element } = panel;
    panel.isShown = isShown;
    // A run with fewer steps has taken it out of the page, together with the step of that time.
    if (isShown && element.getRootNode() !== this.element.getRootNode()) this.#options.attach(step, element);
  }

  /**
   * Opens the log of the step at which the session has failed, once for each attempt, as soon as it has lines. A
   * cancellation needs no explanation, and what the visitor has closed stays so.
   * @param {Progress} data
   */
  #revealFailure(data) {
    const step = data.log ? endingStep(data) : undefined;
    const failure = step && step.conclusion !== "cancelled" ? `${step.step} ${step.started_at}` : "";
    if (failure !== this.#failure) {
      this.#failure = failure;
      this.#wanted = step && failure && this.#options.opensFailed && !this.#isUnwanted ? step.step : 0;
      this.#followOrNot();
    }
    const panel = this.#panels.get(this.#wanted);
    if (!panel || !this.#lines.of(this.#wanted).length) return;
    this.#opened = panel;
    this.#wanted = 0;
    panel.reveal();
  }

  /** Opens the log, or closes all of it. The first key press opens what is of most interest. */
  toggle() {
    if (!this.#data?.log) return;
    const open = [this.#own, ...this.#panels.values()].filter(({ isOpen }) => isOpen);
    if (open.length) {
      for (const panel of open) panel.isOpen = false;
      return;
    }
    const shown = [...this.#panels.values()].filter(({ element }) => !element.hidden);
    const panel = shown.at(-1) ?? this.#own;
    const steps = this.element.parentElement?.querySelector("details.steps-details");
    steps?.setAttribute("open", "");
    panel.isOpen = true;
    panel.element.querySelector("summary")?.focus();
  }

  /** Whether a step has a panel: where its lines are not known, if it runs or has failed. @param {Step} step */
  #isShown({ step, status }) {
    if (!this.#data?.log) return false;
    const isOfInterest = status === "running" || status === "error";
    return (
      this.#lines.of(step).length > 0 || (isOfInterest && !this.#isKnown) || (this.#panels.get(step)?.isOpen ?? false)
    );
  }

  /** @param {Step} added */
  #addPanel(added) {
    const { step } = added;
    const panel = this.#makePanel(step, this.#labelOf(added));
    this.#panels.set(step, panel);
    this.#options.attach(step, panel.element);
    this.#changed.add(step);
  }

  /** @param {Step} step */
  #labelOf({ step, name }) {
    return this.#language.text("log_step", { step, name });
  }

  /** @param {number | null} step @param {string} label */
  #makePanel(step, label) {
    const { sessionId, announce } = this.#options;
    const name = sessionId.replace(/[^\w.-]+/g, "_");
    const file = step === null ? `${name}.log.txt` : `${name}-${step}.log.txt`;
    const title = step === null ? label : this.#language.text("log");
    return new LogPanel(this.#language, label, title, { file, announce, onToggle: (panel) => this.#onToggle(panel) });
  }

  /** @param {LogPanel} panel */
  #onToggle(panel) {
    this.#isUnwanted ||= panel === this.#opened && !panel.isOpen;
    this.#followOrNot();
  }

  /** What a panel says that has no lines. @param {number | null} step */
  #note(step) {
    if (!this.#isKnown) return "";
    return this.#language.text(step === null && !this.#lines.isEmpty ? "log_of_steps" : "log_empty");
  }

  /** @param {number | null} step */
  #panelOf(step) {
    return step === null ? this.#own : this.#panels.get(step);
  }

  /** Lines are sent only while a panel is open, or is to be. */
  #followOrNot() {
    const isOpen = [this.#own, ...this.#panels.values()].some((panel) => panel.isOpen) || this.#wanted > 0;
    if (!isOpen) this.#unfollow();
    if (!isOpen || this.#following || !this.#tracker || this.#signal.aborted) return;
    const following = new AbortController();
    this.#following = following;
    this.#signal.addEventListener("abort", () => following.abort(), { signal: following.signal });
    this.#tracker.followLog((update) => this.#take(update), { signal: following.signal });
  }

  #unfollow() {
    this.#following?.abort();
    this.#following = null;
    this.#isKnown = false;
  }

  /** @param {LogUpdate} update */
  #take(update) {
    this.#isKnown = update.life !== "";
    for (const step of [null, ...this.#panels.keys(), ...this.#lines.add(update)]) this.#changed.add(step);
    this.#options.onChange();
  }
}
