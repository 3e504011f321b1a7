/** The journal: the requests and their responses. */
import { useSignal } from "@preact/signals";
import { Call } from "./call";
import { type ApiCall, CopyAs } from "./copy_as";
import { CheckField, TextField } from "./fields";
import { useLoaded } from "./loaded";
import { OnServer } from "./on_server";
import { session } from "./state";
import type { JournalEntry, List } from "./types";
import { Box, Problem, pretty, Time } from "./ui";

/** The number of the newest requests that the page shows. */
const SHOWN = 200;

export function JournalPage() {
  const { api } = session.value;
  const path = useSignal("");
  const status = useSignal("");
  const run = useSignal("");
  const isUnmatched = useSignal(false);
  const query = new URLSearchParams({
    ...(path.value !== "" && { path: path.value }),
    ...(status.value !== "" && { status: status.value }),
    ...(run.value !== "" && { run: run.value }),
  }).toString();
  const load = async () => {
    const [requests, unmatched] = await Promise.all([
      api.get<List<JournalEntry>>(`_rehearsal/requests?order=desc&limit=${SHOWN}&${query}`),
      isUnmatched.value ? api.get<List<{ run: string }>>("_rehearsal/unmatched") : undefined,
    ]);
    const runs = unmatched && new Set(unmatched.data.map((it) => it.run));
    const wanted = requests.data.filter((it) => runs === undefined || runs.has(it.run ?? ""));
    return { entries: wanted, hasMore: requests.has_more };
  };
  const { data, problem, reload } = useLoaded(
    load,
    [api, query, isUnmatched.value],
    ["request", "session"],
  );
  return (
    <section class="page" aria-label="Journal">
      <h1>Journal</h1>
      <OnServer>
        <div class="fields">
          <TextField label="Path (* and ** fit anything)" value={path} />
          <TextField label="Status" value={status} />
          <TextField label="Run" value={run} />
          <CheckField label="unmatched runs only" value={isUnmatched} />
        </div>
      </OnServer>
      <p class="buttons">
        <Call
          label="Empty the journal"
          call={{ method: "DELETE", path: "_rehearsal/requests" }}
          done={reload}
        />
        <CopyAs call={{ method: "GET", path: `_rehearsal/requests?${query}` }} />
      </p>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {data !== undefined && data.entries.length === 0 && <p class="hint">No request.</p>}
      <ol class="entries">
        {(data?.entries ?? []).map((entry) => (
          <li key={entry.id}>
            <Entry entry={entry} />
          </li>
        ))}
      </ol>
      {data?.hasMore && <p class="hint">These are of the newest {SHOWN} requests.</p>}
    </section>
  );
}

function Entry({ entry }: { entry: JournalEntry }) {
  const isOpen = useSignal(false);
  const query = entry.query ? `?${entry.query}` : "";
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>
        <Time at={entry.created_at} /> <strong>{entry.method}</strong>{" "}
        <bdi>
          {entry.path}
          {query}
        </bdi>{" "}
        <span class={(entry.status ?? 0) >= 400 ? "status failed" : "status completed"}>
          {entry.status ?? "cut off"}
        </span>{" "}
        <span class="hint">
          {entry.duration_ms} ms {entry.reply} {entry.fault && `fault ${entry.fault}`}
        </span>
      </summary>
      {isOpen.value && (
        <>
          {typeof entry.request_body !== "string" && <CopyAs call={callOf(entry)} />}
          <p class="hint">Request</p>
          <Box text={shown(entry.request_body)} label="Request" />
          <p class="hint">Answer</p>
          <Box text={shown(entry.response_body)} label="Answer" />
        </>
      )}
    </details>
  );
}

function callOf({ method, path, query, request_body: request }: JournalEntry): ApiCall {
  const body = typeof request === "object" && request !== null ? request : undefined;
  const full = path.replace(/^\//, "") + (query ? `?${query}` : "");
  return { method: method as ApiCall["method"], path: full, ...(body !== undefined && { body }) };
}

function shown(body: unknown): string {
  if (body === null || body === undefined) return "(nothing)";
  return typeof body === "string" ? pretty(body) : JSON.stringify(body, null, 2);
}
