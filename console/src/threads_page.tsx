/** The threads of the session, with a search. */
import { useSignal } from "@preact/signals";
import { CopyAs } from "./copy_as";
import { useLoaded } from "./loaded";
import { OnServer } from "./on_server";
import { isReport } from "./report";
import { linkTo, session } from "./state";
import type { List, ThreadSummary } from "./types";
import { Problem, Time } from "./ui";

const PAGE = 50;

export function ThreadsPage() {
  const { api } = session.value;
  const text = useSignal("");
  const limit = useSignal(PAGE);
  const path = `_rehearsal/threads?limit=${Math.min(limit.value, 100)}${
    text.value === "" ? "" : `&${keyOf(text.value)}=${encodeURIComponent(text.value)}`
  }`;
  const { data, problem } = useLoaded(
    () => api.get<List<ThreadSummary>>(path),
    [api, path],
    ["thread.created", "thread.deleted", "thread.message.created", "session", "snapshot"],
  );
  return (
    <section class="page" aria-label="Threads">
      <h1>Threads</h1>
      <OnServer>
        <label>
          Search in messages, metadata and ids
          <input
            type="search"
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
        </label>
      </OnServer>
      <CopyAs call={{ method: "GET", path }} />
      {problem !== undefined && <Problem>{problem}</Problem>}
      {data?.data.length === 0 && <p class="hint">No thread.</p>}
      <ul class="runs">
        {(data?.data ?? []).map((thread) => (
          <li class="run" key={thread.id}>
            <a href={linkTo({ page: "thread", thread: thread.id })}>
              <span class="line">
                <code>{thread.id}</code> <Time at={thread.created_at} />
              </span>
              <bdi class="words">{thread.message ?? "(no message)"}</bdi>
              <span class="hint">
                {thread.messages} messages, {thread.runs} runs
                {Object.entries(thread.metadata).map(([key, value]) => ` · ${key}: ${value}`)}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {!isReport && data?.has_more && limit.value < 100 && (
        <button
          type="button"
          onClick={() => {
            limit.value = 100;
          }}
        >
          More threads
        </button>
      )}
      {data?.has_more && limit.value >= 100 && (
        <p class="hint">These are the newest 100. Search for others.</p>
      )}
    </section>
  );
}

/** An id is searched as an id, other text is searched in messages and metadata. */
function keyOf(text: string): "id" | "q" {
  return /^(thread|run|msg|step)_\w+$/.test(text) ? "id" : "q";
}
