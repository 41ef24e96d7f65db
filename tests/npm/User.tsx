import { ProgressTracker, type Progress } from "progress-sse";
import { useProgress, useProgressList, type FollowedListState, type FollowedState } from "progress-sse/react";
import type { ProgressSteps } from "progress-sse/progress-steps";
import "progress-sse/progress-list";
import "progress-sse/progress-steps";
import { useRef } from "react";

export const token = async () => "t";
export const show = ({ percentage }: Progress) => console.log(percentage, ProgressTracker.baseUrl);

export function Page({ sessionId }: { sessionId?: string }) {
  const steps = useRef<ProgressSteps>(null);
  const { data, state, canRequest, request }: FollowedState = useProgress(sessionId, {
    baseUrl: "/jobs",
    interval: 500,
    token,
  });
  const [labels, status] = [{ team: "web" }, ["failed", "lost"] as const];
  const list: FollowedListState = useProgressList({ prefix: "alice-", labels, status, token });
  const cancel = async () => console.log((await request("cancel", { reason: "wrong file" })).state);
  return (
    <section className={state}>
      {canRequest.includes("cancel") && <button onClick={cancel} />}
      <progress-steps ref={steps} key="a" session={sessionId} base-url="/jobs" className="wide" label="Import" timeline>
        <p>{data?.steps.length}</p>
      </progress-steps>
      <progress-steps sessions="a b" transport="poll" interval={500} token={token} lang="ja" />
      <progress-steps session="a" onprogress-update={({ detail }) => show(detail.data)} />
      <progress-list prefix="alice-" label="team:web" status="failed lost" base-url="/jobs" token={token} className="wide" />
      <progress-list onprogress-list={({ detail }) => console.log(detail.sessions[0]?.labels, detail.more)} />
      <button onClick={list.showMore}>{list.data?.sessions.length}</button>
      {/* @ts-expect-error: no such status */}
      <progress-list status="over" />
      {/* @ts-expect-error: an id is a text */}
      <progress-steps session={1} />
      {/* @ts-expect-error: no such attribute */}
      <progress-steps identifier="a" />
      {/* @ts-expect-error: no such transport */}
      <progress-steps session="a" transport="carrier pigeon" />
    </section>
  );
}

export function Wrong() {
  // @ts-expect-error: an id is a text
  useProgress(1);
  // @ts-expect-error: a label is a text
  useProgressList({ labels: { team: 1 } });
  // @ts-expect-error: no such request
  void useProgress("a").request("pause");
  // @ts-expect-error: components show the data, so they need no callback
  return <p>{useProgress("a", { onUpdate: show }).data?.status}</p>;
}
