import { computed, shallowRef, toValue, watch } from "vue";
import { FollowedSession } from "./followed-session.js";

/** @type {typeof import("./vue.js").useProgress} */
export function useProgress(sessionId, options = {}) {
  const session = computed(() => new FollowedSession(toValue(sessionId), toValue(options)));
  const shown = shallowRef(session.value.getState());
  watch(
    session,
    ({ getState, subscribe }, _before, onCleanup) => {
      shown.value = getState();
      // A server renders the page once, and follows nothing.
      if (globalThis.document) onCleanup(subscribe(() => (shown.value = getState())));
    },
    { immediate: true },
  );
  return {
    data: computed(() => shown.value.data),
    state: computed(() => shown.value.state),
    canRequest: computed(() => shown.value.canRequest),
    request: (...request) => session.value.request(...request),
  };
}
