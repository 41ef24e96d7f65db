/**
 * Runs an action when a visitor may look again at a page that was left alone.
 * @param {() => void} action
 * @param {AbortSignal} signal
 */
export function onReturn(action, signal) {
  const { document } = globalThis;
  const ifVisible = () => void (document.visibilityState === "visible" && action());
  document?.addEventListener?.("visibilitychange", ifVisible, { signal });
  globalThis.addEventListener?.("online", action, { signal });
  globalThis.addEventListener?.("pageshow", ({ persisted }) => void (persisted && action()), { signal });
}

/**
 * Runs `leave` before the browser puts the page away and `comeBack` when a visitor may look at it again. A page with
 * open connections is not kept for the way back, and a frozen one would hold up the other tabs.
 * @param {{leave: () => void, comeBack: () => void}} actions
 * @param {AbortSignal} signal
 */
export function onPutAway({ leave, comeBack }, signal) {
  globalThis.addEventListener?.("pagehide", leave, { signal });
  globalThis.document?.addEventListener?.("freeze", leave, { signal });
  globalThis.document?.addEventListener?.("resume", comeBack, { signal });
  onReturn(comeBack, signal);
}
