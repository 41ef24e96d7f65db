import type { FollowedListState, FollowedState, UseProgressListOptions, UseProgressOptions } from "./use-progress.js";

export type { FollowedListState, FollowedState, UseProgressListOptions, UseProgressOptions };

/**
 * Follows a session while the component is mounted, also after a failure, since a retry may come. Other options or
 * another id start it again; a new token function does not.
 */
export function useProgress(sessionId: string | null | undefined, options?: UseProgressOptions): FollowedState;

/** Follows a list of sessions while the component is mounted. What starts it again is as for `useProgress`. */
export function useProgressList(options?: UseProgressListOptions): FollowedListState;
