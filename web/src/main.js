/*
 * Puts ProgressTracker, ProgressListTracker and checkTimeout on the page. esbuild writes tracker.js from this module.
 *
 * ProgressTracker follows one session of a progress server: by a stream where that works, by polling elsewhere.
 * It draws nothing and needs neither a window nor a document. From the wire to the page, each uses only those above it:
 *   tokens           sends requests with a token;
 *   by-link          sends requests by the cookie of a link;
 *   Stream           keeps one EventSource connected;
 *   StreamState      holds the state of a stream's sessions;
 *   SharedStream     follows all wanted sessions by one stream;
 *   ListStream       follows a list of sessions, whose state is a ListState;
 *   LimitedStream    keeps either closed while others take the browser's connections, by a ConnectionSlot;
 *   TabCoordinator   does the same once for all tabs: one of them holds the stream, the others listen to it;
 *   Hub              is shared by the trackers of a page: a TabCoordinator, or a stream alone;
 *   LogFollower      hands on each line of a session's log once, in order; LogFollowers are all of a tracker;
 *   SessionApi       asks the worker, and gets a step's parts, lines of the log, and what steps usually take;
 *   Poller           polls once or at intervals, and knows nothing of streams;
 *   PollOrder        decides which of polls and events are older than what the page shows;
 *   ProgressTracker  chooses between stream and polls, never lets the page go back, and calls its callbacks;
 *   ProgressListTracker  does so for a list.
 */
import { checkTimeout } from "./check-timeout.js";
import { ProgressListTracker } from "./progress-list-tracker.js";
import { ProgressTracker } from "./progress-tracker.js";

globalThis.ProgressTracker = ProgressTracker;
globalThis.ProgressListTracker = ProgressListTracker;
globalThis.checkTimeout = checkTimeout;
