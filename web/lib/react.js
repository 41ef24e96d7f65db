import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { FollowedList } from "./followed-list.js";
import { FollowedSession } from "./followed-session.js";
import { relayOf } from "./token-relay.js";

/** @typedef {import("./use-progress.js").UseProgressOptions} UseProgressOptions */

/** @type {typeof import("./react.js").useProgress} */
export function useProgress(sessionId, { interval, transport, baseUrl, withCredentials, token } = {}) {
  const first = useFirstToken(token);
  const session = useMemo(
    () => new FollowedSession(sessionId, { interval, transport, baseUrl, withCredentials, token: first }),
    [sessionId, interval, transport, baseUrl, withCredentials, first],
  );
  return useSyncExternalStore(session.subscribe, session.getState, session.getState);
}

/** @type {typeof import("./react.js").useProgressList} */
export function useProgressList(options = {}) {
  const { prefix, labels = {}, status, interval, transport, baseUrl, withCredentials, token } = options;
  const first = useFirstToken(token);
  // A component often has new objects, which are equal, each time that it renders.
  const pairs = JSON.stringify(Object.entries(labels).sort());
  const statuses = JSON.stringify(status);
  const list = useMemo(() => {
    const labels = Object.fromEntries(JSON.parse(pairs));
    const status = statuses && JSON.parse(statuses);
    return new FollowedList({ prefix, labels, status, interval, transport, baseUrl, withCredentials, token: first });
  }, [prefix, pairs, statuses, interval, transport, baseUrl, withCredentials, first]);
  return useSyncExternalStore(list.subscribe, list.getState, list.getState);
}

/**
 * The first of several token functions, whose relay calls the newest: a component often has a new one each time that it
 * renders. Other tokens replace each other.
 * @param {UseProgressOptions["token"]} token
 */
function useFirstToken(token) {
  const [first, setFirst] = useState(() => token);
  const isRelayed = typeof first === "function" && typeof token === "function";
  if (!isRelayed && token !== first) setFirst(() => token);
  useEffect(() => {
    if (typeof first === "function" && typeof token === "function") relayOf(first).replaceBy(token);
  }, [first, token]);
  return first;
}
