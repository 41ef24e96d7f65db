import { serverClock } from "./server-clock.js";
import { HOPELESS, QUIET_MS } from "./stream.js";
import { Timers } from "./timers.js";

/** @typedef {import("./types.js").FollowedState<any>} FollowedState */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */
/** @typedef {import("./types.js").StreamSettings} StreamSettings */
/** @typedef {import("./types.js").StreamSource} StreamSource */
/** @typedef {import("./types.js").Wanted} Wanted */

/** Begins the name of the lock and of the channel. Its number changes with the messages: versions do not mix. */
const GROUP = "progress-sse 5";
/** Without Web Locks, a tab waits this long for a holder's answer before it takes the stream. */
const ELECTION_MS = 200;
const HANDOVER_MS = 100;
/** After this silence a tab asks whether the holder is still there. */
const PING_MS = 3000;
/** How long a tab waits for the holder's answer. */
const ANSWER_MS = 1500;
const ANSWERS_MISSED = 1;
/** Browsers let a tab in the background run once a minute. */
const ANNOUNCE_MS = 60_000;
const TAB_EXPIRY_MS = 200_000;

/** Whether tabs can reach each other: not in browsers before 2022, nor where all storage is forbidden. */
export function hasChannels() {
  try {
    new BroadcastChannel("progress-sse").close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Shares one stream among all tabs of a browser: one tab, the holder, has the stream and posts its events; the others
 * listen. A Web Lock decides which tab that is, and passes on at once. Pages over plain HTTP have no Web Locks:
 * there a tab that gets no answer takes the stream. If two tabs do so, the later term counts, or else the smaller id.
 * Either way a holder that does not answer is replaced: its tab may be frozen, or may have died.
 */
export class TabCoordinator {
  #id = Math.random().toString(36).slice(2);
  #state;
  #openStream;
  #listener;
  #timers;
  #name;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {Wanted} */
  #wanted = { sessions: [], hasLog: false };
  /** What the other tabs want. @type {Map<string, Wanted>} */
  #others = new Map();
  /** How often the stream has changed hands, as far as this tab knows. */
  #term = 0;
  /** "": the next tab that says it holds the stream. */
  #holder = "";
  /** Set while this tab is the holder. @type {StreamSource | null} */
  #stream = null;
  /** @type {LockManager | undefined} */
  #locks = globalThis.navigator?.locks;
  /** Aborted to give up the lock, or the request for it. */
  #claim = new AbortController();

  /**
   * @param {StreamSettings} settings
   * @param {FollowedState} state
   * @param {(onEvent: (event: SharedEvent) => void) => StreamSource} openStream
   * @param {{onEvent: (event: SharedEvent) => void, onState: () => void}} listener
   */
  constructor(settings, state, openStream, listener) {
    this.#state = state;
    this.#openStream = openStream;
    this.#listener = listener;
    this.#timers = new Timers(settings.timers);
    this.#name = [
      GROUP,
      settings.baseUrl,
      settings.withCredentials && "with credentials",
      settings.rights,
      settings.query,
    ]
      .filter(Boolean)
      .join(" ");
  }

  /** @param {Wanted} wanted All that is wanted in this tab from now on. */
  follow(wanted) {
    const { sessions } = this.#wanted;
    // The data of a session that this tab did not follow may be old. The holder answers with the current data.
    if (!this.#stream) for (const id of wanted.sessions) if (!sessions.includes(id)) this.#state.forget(id);
    this.#wanted = wanted;
    if (this.#channel) this.#announce();
    else this.#join();
    if (!this.#timers.isSet("silence")) this.#expectStream();
    this.#stream?.follow(this.#wantedByAll());
  }

  /** Ends the wait of a stream that waits before it connects again, and asks whether the holder is still there. */
  retryNow() {
    if (this.#stream) {
      this.#stream.retryNow();
    } else {
      this.#post({ kind: "retry" });
      this.#ask();
    }
  }

  /** Begins again with snapshots. */
  restart() {
    if (this.#stream) this.#stream.restart();
    else this.#post({ kind: "restart" });
  }

  close() {
    this.#post({ kind: "gone" });
    this.#channel?.close();
    this.#channel = null;
    this.#release();
    this.#claim.abort();
    this.#timers.clearAll();
    this.#others.clear();
    this.#state.live.clear();
    this.#holder = "";
  }

  #join() {
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#ask();
    this.#requestStream();
  }

  /** @param {Record<string, unknown>} message */
  #post(message) {
    this.#channel?.postMessage({ ...message, tab: this.#id, term: this.#term });
  }

  /** Says what this tab follows. The holder answers, and forgets tabs that have been silent for long. */
  #announce() {
    this.#post({ kind: "follow", wanted: this.#wanted });
    this.#timers.set("announce", ANNOUNCE_MS, () => this.#announce());
  }

  /** @param {number} [unanswered] */
  #ask(unanswered = 0) {
    if (unanswered > ANSWERS_MISSED) {
      this.#steal();
      return;
    }
    this.#announce();
    this.#timers.set("ask", ANSWER_MS, () => this.#ask(unanswered + 1));
  }

  /** Each message of the holder puts the question off. */
  #askLater() {
    this.#timers.set("ask", PING_MS * (1 + Math.random()), () => this.#ask());
  }

  /** Trackers poll if no stream works for their session in time. */
  #expectStream() {
    this.#timers.set("silence", QUIET_MS, () => {
      const sessions = this.#wanted.sessions.filter((id) => !this.#state.live.has(id));
      this.#listener.onEvent({ type: "failure", sessions, failure: HOPELESS });
    });
  }

  /** @returns {Wanted} */
  #wantedByAll() {
    const all = [this.#wanted, ...this.#others.values()];
    const sessions = [...new Set(all.flatMap((each) => each.sessions))];
    return { sessions, hasLog: all.some(({ hasLog }) => hasLog) };
  }

  // Becoming the holder

  #requestStream() {
    if (this.#locks) this.#requestLock({});
    else this.#takeSoon();
  }

  #steal() {
    if (this.#locks) this.#requestLock({ steal: true });
    else this.#take();
  }

  /** A random delay lets one tab be the first. */
  #takeSoon() {
    this.#timers.set("take", ELECTION_MS * (1 + Math.random()), () => this.#take());
  }

  /** @param {{steal?: boolean}} how */
  #requestLock(how) {
    this.#claim.abort();
    const claim = new AbortController();
    this.#claim = claim;
    const hold = () =>
      new Promise((resolve) => {
        claim.signal.addEventListener("abort", resolve);
        if (claim.signal.aborted) resolve(undefined);
        // The last holder's messages may still be on their way.
        else this.#timers.set("take", this.#term && HANDOVER_MS, () => this.#take());
      });
    const options = how.steal ? how : { signal: claim.signal };
    this.#locks?.request(this.#name, options, hold).catch((error) => {
      if (claim.signal.aborted) return;
      // An AbortError: another tab got no answer and stole the lock. Any other error: this page may have no locks.
      if (error.name !== "AbortError") this.#locks = undefined;
      this.#release();
      this.#holder = "";
      this.#ask();
      this.#requestStream();
    });
  }

  #take() {
    if (this.#stream) return;
    this.#timers.clear("ask");
    this.#term += 1;
    this.#holder = this.#id;
    this.#state.live.clear();
    // The data of a session without a tracker is not kept up to date, and a tracker may follow it again.
    const wanted = this.#wantedByAll();
    for (const id of [...this.#state.data.keys()]) if (!wanted.sessions.includes(id)) this.#state.forget(id);
    this.#stream = this.#openStream((event) => {
      this.#post({ kind: "event", event });
      this.#listener.onEvent(event);
    });
    this.#expectStream();
    this.#postHold(this.#state);
    this.#stream.follow(wanted);
  }

  #release() {
    this.#timers.clear("take");
    this.#stream?.close();
    this.#stream = null;
  }

  /** Says that this tab is the holder. @param {FollowedState} [state] For tabs that may not have it. */
  #postHold(state) {
    this.#post({ kind: "hold", state, ahead_ms: serverClock.estimate_ms });
  }

  // Messages of the other tabs

  /** @param {any} message */
  #receive(message) {
    if (message.kind === "follow") this.#onFollow(message);
    if (message.kind === "gone") this.#onGone(message.tab);
    if (message.kind === "hold") this.#onHold(message);
    if (message.kind === "event") this.#onEvent(message);
    if (message.kind === "retry") this.#stream?.retryNow();
    if (message.kind === "restart") this.#stream?.restart();
  }

  /** @param {{tab: string, wanted: Wanted}} message */
  #onFollow({ tab, wanted }) {
    const isKnown = JSON.stringify(this.#others.get(tab)?.sessions) === JSON.stringify(wanted.sessions);
    this.#others.set(tab, wanted);
    this.#timers.set(`tab ${tab}`, TAB_EXPIRY_MS, () => this.#forgetTab(tab));
    if (!this.#stream) return;
    this.#postHold(isKnown ? undefined : this.#state);
    this.#stream.follow(this.#wantedByAll());
  }

  /** @param {string} tab */
  #onGone(tab) {
    this.#timers.clear(`tab ${tab}`);
    this.#forgetTab(tab);
    if (tab === this.#holder && !this.#locks) this.#takeSoon();
  }

  /** @param {string} tab */
  #forgetTab(tab) {
    this.#others.delete(tab);
    this.#stream?.follow(this.#wantedByAll());
  }

  /** @param {{tab: string, term: number, state?: FollowedState, ahead_ms: number}} message */
  #onHold({ tab, term, state, ahead_ms }) {
    const isOutdated = this.#holder && (term < this.#term || (term === this.#term && tab > this.#holder));
    if (isOutdated) return;
    // A tab that has the lock takes the stream all the same: the message may be the last one of the former holder.
    const isSuccessor = this.#locks && this.#timers.isSet("take") && term <= this.#term;
    if (!isSuccessor) this.#release();
    const isNew = tab !== this.#holder;
    this.#term = term;
    this.#holder = tab;
    this.#askLater();
    if (isNew) this.#announce();
    if (!state) return;
    Object.assign(this.#state, state);
    serverClock.add(ahead_ms);
    this.#listener.onState();
  }

  /** @param {{tab: string, event: SharedEvent}} message */
  #onEvent({ tab, event }) {
    if (this.#stream || tab !== this.#holder) return;
    this.#askLater();
    this.#state.apply(event);
    // An event names all sessions of the stream: the holder has left out those that are no longer wanted.
    const known = event.type === "failure" ? [] : [...this.#state.data.keys()];
    for (const id of known) if (!event.sessions.includes(id)) this.#state.forget(id);
    this.#listener.onEvent(event);
  }
}
