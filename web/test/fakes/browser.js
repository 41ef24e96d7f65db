import { ManualClock, settled } from "./manual-clock.js";
import { Tab } from "./tab.js";

/** @typedef {import("./event-source.js").FakeEventSource} FakeEventSource */
/** @typedef {import("./fetch.js").Request} Request */

/** A browser, whose tabs share the connections to the server, locks and channels. */
export class Browser {
  clock = new ManualClock();
  /** @type {(FakeEventSource & {tab: Tab})[]} */
  streams = [];
  /** @type {Request[]} */
  requests = [];
  /** @type {Set<{name: string, tab: Tab, receive: (data: unknown) => void}>} */
  channels = new Set();
  /** If set, it holds the tabs' messages until `deliver()`. @type {(() => void)[] | null} */
  heldMessages = null;
  /** The holder of each lock before those that wait. @type {{name: string, tab: Tab, run: () => void, onStolen: () => void}[]} */
  locks = [];

  /** Without a secure context there are no locks. */
  constructor({ isSecure = true } = {}) {
    this.isSecure = isSecure;
  }

  /** @param {object} [globals] @returns {Tab} */
  tab(globals) {
    return new Tab(this, globals);
  }

  /** @param {() => void} message Delivers it. */
  send(message) {
    if (this.heldMessages) this.heldMessages.push(message);
    else queueMicrotask(message);
  }

  async deliver() {
    for (const message of this.heldMessages ?? []) queueMicrotask(message);
    this.heldMessages = null;
    await settled();
  }

  /** Streams that are not closed. */
  get open() {
    return this.streams.filter((stream) => stream.readyState !== 2);
  }

  /** The only open stream. */
  get stream() {
    const [stream, ...others] = this.open;
    if (!stream || others.length) throw new Error(`there are ${this.open.length} streams`);
    return stream;
  }

  /** @param {Tab} tab */
  release(tab) {
    const names = new Set(this.locks.map(({ name }) => name));
    const held = [...names].filter((name) => this.holder(name)?.tab === tab);
    this.locks = this.locks.filter((request) => request.tab !== tab);
    for (const name of held) this.holder(name)?.run();
  }

  /** @param {string} name */
  holder(name) {
    return this.locks.find((request) => request.name === name);
  }
}
