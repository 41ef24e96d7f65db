/* A clock, an EventSource, a fetch and a browser, all controlled by the test. */
export { Browser } from "./fakes/browser.js";
export { notFound, ok, progress, status, stepEvent } from "./fakes/data.js";
export { FakeEventSource } from "./fakes/event-source.js";
export { interruptThrice, pageWithFailedStream } from "./fakes/failures.js";
export { jitter } from "./fakes/jitter.js";
export { livePage } from "./fakes/live-page.js";
export { ManualClock, settled, timeOfDay } from "./fakes/manual-clock.js";
export { Page } from "./fakes/page.js";
