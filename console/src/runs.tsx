/** The runs of the session, newest first, one row each. */
import { linkTo, route, session } from "./state";
import type { RunSummary } from "./types";
import { Problem, Time, Walk } from "./ui";

export function Runs() {
  const { runs, hasMoreRuns, isLoaded, problem } = session.value;
  return (
    <>
      <h2>Runs</h2>
      {problem.value !== undefined && <Problem>{problem.value}</Problem>}
      {isLoaded.value && runs.value.length === 0 && <p class="hint">There are no runs yet.</p>}
      <ul class="runs">
        {runs.value.map((run) => (
          <Row key={run.run} run={run} />
        ))}
      </ul>
      {hasMoreRuns.value && (
        <button type="button" onClick={() => session.value.loadMoreRuns()}>
          Older runs
        </button>
      )}
    </>
  );
}

function Row({ run }: { run: RunSummary }) {
  const { view } = route.value;
  const isShown = view.page === "thread" && view.thread === run.thread;
  return (
    <li class={run.unmatched ? "run unmatched" : "run"}>
      <a
        href={linkTo({ page: "thread", thread: run.thread })}
        aria-current={isShown ? "true" : undefined}
      >
        <span class="line">
          <bdi class="assistant">{run.assistant.name ?? run.assistant.id}</bdi>
          <Time at={run.created_at} />
        </span>
        <bdi class="words">{run.message ?? "(no text)"}</bdi>
        <span class="line">
          <Walk walk={run.walk} />
          <bdi class="reply">{replyName(run)}</bdi>
        </span>
      </a>
    </li>
  );
}

/** The reply that answered, by its name or its place. */
function replyName({ reply, unmatched }: RunSummary): string {
  if (unmatched) return "no reply matched";
  if (reply === null) return "";
  return reply.name ?? `${reply.file}:${reply.line}`;
}
