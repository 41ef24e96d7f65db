// A browser's fetch insists on its own `this`.
/** @type {typeof globalThis.fetch} */
export const browserFetch = (...request) => globalThis.fetch(...request);
