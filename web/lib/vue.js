import { computed, shallowRef, toValue, watch } from "vue";
import { FollowedList } from "./followed-list.js";
import { FollowedSession } from "./followed-session.js";

/** @type {typeof import("./vue.js").useProgress} */
export function useProgress(sessionId, options = {}) {
  const session = computed(() => new FollowedSession(toValue(sessionId), toValue(options)));
  const shown = useFollowed(session);
  return {
    data: computed(() => shown.value.data),
    state: computed(() => shown.value.state),
    canRequest: computed(() => shown.value.canRequest),
    request: (...request) => session.value.request(...request),
  };
}

/** @type {typeof import("./vue.js").useProgressList} */
export function useProgressList(options = {}) {
  const list = computed(() => new FollowedList(toValue(options)));
  const shown = useFollowed(list);
  return {
    data: computed(() => shown.value.data),
    state: computed(() => shown.value.state),
    showMore: () => list.value.showMore(),
  };
}

/**
 * The state of what is followed now.
 * @template State
 * @param {import("vue").ComputedRef<{getState: () => State, subscribe: (onChange: () => void) => () => void}>} followed
 */
function useFollowed(followed) {
  const shown = shallowRef(followed.value.getState());
  watch(
    followed,
    ({ getState, subscribe }, _before, onCleanup) => {
      shown.value = getState();
      // A server renders the page once, and follows nothing.
      if (globalThis.document) onCleanup(subscribe(() => (shown.value = getState())));
    },
    { immediate: true },
  );
  return shown;
}
