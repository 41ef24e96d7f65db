/* The sessions that a list's filter needs, followed by one tracker at a time. No DOM. */
import { ProgressListTracker } from "./index.js";
import { NO_FILTER } from "./list-filter.js";

/** @typedef {import("./list-filter.js").Filter} Filter */
/** @typedef {import("./wire.js").SessionList} SessionList */
/** @typedef {import("./wire.js").TrackerState} TrackerState */

/**
 * The server chooses by prefix and labels, and the page by text. The page chooses by status too, since it shows how many
 * sessions each has, unless there are more sessions than the list has: then the server does.
 */
export class ListSource {
  /** Another list was asked for, and has not come yet. */
  isWaiting = false;
  /** The statuses that the server chooses by; none: all. @type {Filter["statuses"]} */
  asked = [];
  #fixed;
  #options;
  #onList;
  #onState;
  #filter = NO_FILTER;
  /** @type {import("./wire.js").ProgressListTracker | null} */
  #tracker = null;
  /** What the tracker asks of the server, as JSON. */
  #query = "";
  #isStatusAsked = false;
  #isExtended = false;
  /** There are more sessions than the newest list has. */
  #hasMore = false;

  /**
   * @param {object} setup
   * @param {Filter} setup.fixed What all sessions have in common, whatever the filter.
   * @param {import("./wire.js").ListTrackerOptions | undefined} setup.tracker
   * @param {(list: SessionList) => void} setup.onList
   * @param {(state: TrackerState) => void} setup.onState `connecting`: another list is followed from now on.
   */
  constructor({ fixed, tracker, onList, onState }) {
    this.#fixed = fixed;
    this.#options = tracker;
    this.#onList = onList;
    this.#onState = onState;
  }

  get isFollowing() {
    return this.#tracker !== null;
  }

  get state() {
    return this.#tracker?.state ?? "stopped";
  }

  /** The server's time. */
  now() {
    return this.#tracker?.now() ?? Date.now();
  }

  /** Follows what this filter needs, unless that is followed already. @param {Filter} filter */
  follow(filter) {
    this.#filter = filter;
    const { prefix, labels, statuses } = filter;
    this.#isStatusAsked = statuses.length > 0 && (this.#isStatusAsked || this.#hasMore);
    const { prefix: root, labels: fixed, statuses: own } = this.#fixed;
    const status = own.length || !this.#isStatusAsked ? own : statuses;
    const asked = { prefix: prefix || root, labels: { ...fixed, ...labels }, status };
    const query = JSON.stringify(asked);
    if (query === this.#query) return;
    this.stop();
    this.#query = query;
    this.asked = status;
    const tracker = new ProgressListTracker({ ...this.#options, ...asked, onUpdate: (list) => this.#receive(list) });
    this.#tracker = tracker;
    this.isWaiting = true;
    tracker.addEventListener("statechange", () => {
      if (tracker === this.#tracker) this.#onState(tracker.state);
    });
    if (this.#isExtended) tracker.showMore();
    tracker.start();
  }

  /** The state of what is no longer followed concerns no page. */
  stop() {
    const tracker = this.#tracker;
    this.#tracker = null;
    this.#query = "";
    tracker?.stop();
  }

  showMore() {
    this.#isExtended = true;
    this.#tracker?.showMore();
  }

  /** @param {SessionList} list */
  #receive(list) {
    this.#hasMore = list.more;
    this.isWaiting = false;
    this.follow(this.#filter);
    this.#onList(list);
  }
}
