import type { FollowedState, UseProgressOptions } from "./use-progress.js";

export type { FollowedState, UseProgressOptions };

/**
 * Follows a session while the component is mounted, also after a failure, since a retry may come. Other options or
 * another id start it again; a new token function does not.
 */
export function useProgress(sessionId: string | null | undefined, options?: UseProgressOptions): FollowedState;
