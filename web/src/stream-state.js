import { fold } from "./fold.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */

/** Whether the data of an event is to be folded into the session. @param {SharedEvent["type"]} type */
export const isFolded = (type) => type === "step" || type === "session";

/** The state of a stream's sessions, and its position. A tab that has it can resume the stream from there. */
export class StreamState {
  /** @type {Map<string, Progress>} */
  data = new Map();
  /** The event id to resume from. */
  position = "";
  /** The sessions whose stream works. @type {Set<string>} */
  live = new Set();

  /** @param {SharedEvent} event */
  apply(event) {
    for (const id of event.sessions) {
      if (event.failure) this.live.delete(id);
      else this.live.add(id);
    }
    this.position = event.position ?? this.position;
    const changed = this.changed(event);
    const before = changed && this.data.get(changed);
    if (changed && event.type === "snapshot") this.data.set(changed, event.data);
    if (changed && isFolded(event.type) && before) this.data.set(changed, fold(before, event.data));
  }

  /** The session that an event changes, if it changes one. @param {SharedEvent} event @returns {string | undefined} */
  changed({ type, data }) {
    if (type === "snapshot") return data.session_id;
    return isFolded(type) ? data.session.session_id : undefined;
  }

  /** @param {string} id */
  forget(id) {
    this.data.delete(id);
    this.live.delete(id);
  }
}
