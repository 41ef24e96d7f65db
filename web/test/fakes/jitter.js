import { mock } from "node:test";

/** Makes jitter predictable: 0 is the shortest delay, just under 1 the longest. @param {number} value */
export const jitter = (value) => mock.method(Math, "random", () => value);
