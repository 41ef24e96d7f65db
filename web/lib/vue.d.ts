import type { ComputedRef, MaybeRefOrGetter } from "vue";
import type { FollowedListState, FollowedState, UseProgressListOptions, UseProgressOptions } from "./use-progress.js";

export type { FollowedListState, FollowedState, UseProgressListOptions, UseProgressOptions };

/** A followed session, each value as a ref. */
export type FollowedRefs = Pick<FollowedState, "request"> & {
  readonly [Key in Exclude<keyof FollowedState, "request">]: ComputedRef<FollowedState[Key]>;
};

/**
 * Follows a session while the component, or the effect scope, is alive, also after a failure, since a retry may come.
 * Other options or another id start it again.
 */
export function useProgress(
  sessionId: MaybeRefOrGetter<string | null | undefined>,
  options?: MaybeRefOrGetter<UseProgressOptions>,
): FollowedRefs;

/** A followed list, each value as a ref. */
export type FollowedListRefs = Pick<FollowedListState, "showMore"> & {
  readonly [Key in Exclude<keyof FollowedListState, "showMore">]: ComputedRef<FollowedListState[Key]>;
};

/** Follows a list of sessions while the component, or the effect scope, is alive. Other options start it again. */
export function useProgressList(options?: MaybeRefOrGetter<UseProgressListOptions>): FollowedListRefs;
