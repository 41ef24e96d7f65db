import { make } from "./dom.js";
import { OverallBar } from "./overall-bar.js";
import { SessionFacts } from "./session-facts.js";
import { SessionHeadline } from "./session-headline.js";
import { SessionLinks } from "./session-links.js";
import { StepList } from "./step-list.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-log.js").SessionLog} SessionLog */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/**
 * @typedef {object} CardOptions
 * @property {string} barName The bar's name, for screen readers.
 * @property {boolean} isCompact The steps are closed at first.
 * @property {import("./step-item.js").ItemOptions} items
 * @property {import("./session-controls.js").SessionControls} controls
 */

/** What a session's state is, in all its parts; above them stands the session's head. */
export class SessionCard {
  headline;
  #links;
  #facts;
  #bar;
  #controls;
  #list;
  #steps;
  /** @type {SessionLog | null} */
  #log = null;

  /** @param {Language} language @param {HTMLElement} root Of the session. @param {CardOptions} options */
  constructor(language, root, options) {
    const { controls } = options;
    this.headline = new SessionHeadline(language);
    this.#links = new SessionLinks(language);
    this.#facts = new SessionFacts(language, root);
    this.#bar = new OverallBar(options.barName);
    this.#controls = controls;
    this.#list = new StepList(language, options.items);
    const [request, failure] = controls.elements;
    const status = make("div", "status", this.headline.text, this.#facts.element);
    const state = make("div", "state", this.headline.icon, status, request);
    this.#steps = options.isCompact ? closed(language.text("steps"), this.#list.element) : this.#list.element;
    const parts = [state, this.#links.element, this.#bar.element, this.#facts.note, failure, this.#steps];
    this.element = make("section", "card", ...parts);
  }

  /** @param {SessionLog} log */
  addLog(log) {
    this.#log = log;
    this.#steps.after(log.element);
  }

  /** Puts something under a step. @param {number} step @param {HTMLElement} element */
  attach(step, element) {
    this.#list.attach(step, element);
  }

  /**
   * @param {SessionState} state
   * @param {number} now_ms
   * @param {object} told
   * @param {import("./headline.js").Sentence} told.sentence The headline.
   * @param {string} told.timeLeft In words.
   * @param {boolean} told.isConnected
   */
  show(state, now_ms, { sentence, timeLeft, isConnected }) {
    const { data, known, verified_ms } = state;
    this.headline.show(sentence, state, now_ms);
    this.#links.show(data);
    this.#facts.show(state, now_ms, timeLeft, isConnected);
    // Without a connection the bar stays where it is.
    this.#bar.show(state, isConnected ? now_ms : verified_ms);
    this.#controls.show(data);
    this.#list.show(data.steps, now_ms, known.learned);
    this.#log?.show(data);
  }
}

/** @param {string} summary @param {HTMLElement} steps */
function closed(summary, steps) {
  return make("details", "steps-details", make("summary", "", summary), steps);
}
