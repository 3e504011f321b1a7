/** A run in its thread: its progress, the reason for its answer, the calls that it waits for. */
import { useSignal } from "@preact/signals";
import { Call } from "./call";
import { CallForm } from "./call_form";
import { CopyAs } from "./copy_as";
import { asText } from "./event_log";
import { askAbout } from "./match";
import { OnServer } from "./on_server";
import { isReport } from "./report";
import { session } from "./state";
import type { ThreadModel } from "./thread";
import { hasEnded, type Run, type RunSummary } from "./types";
import { Action, Box, Copy, Problem, pretty, Status, save, Time, Walk } from "./ui";
import { Why } from "./why";

export function RunView({ run, model }: { run: Run; model: ThreadModel }) {
  const summary = model.summaryOf(run.id);
  const events = session.value.log.of(run.id);
  return (
    <section class={summary?.unmatched ? "run-card unmatched" : "run-card"} aria-label="Run">
      <p class="line">
        {summary === undefined ? (
          <Status status={run.status} />
        ) : (
          <Walk walk={walkOf(run, summary)} />
        )}
        <Time at={run.created_at} />
      </p>
      {run.last_error !== null && !summary?.unmatched && (
        <Problem>
          {run.last_error.code}: {run.last_error.message}
        </Problem>
      )}
      {run.incomplete_details !== null && <p class="hint">{run.incomplete_details?.reason}</p>}
      {summary !== undefined && <Why summary={summary} run={run} />}
      {!isReport && run.status === "requires_action" && (
        <CallForm key={run.id} run={run} summary={summary} />
      )}
      {!isReport && !hasEnded(run.status) && <Controls run={run} />}
      {run.usage !== null && (
        <p class="hint">
          {run.usage.prompt_tokens} + {run.usage.completion_tokens} tokens, {run.model}
        </p>
      )}
      {events.length > 0 && <Events run={run.id} />}
      <div class="tools buttons">
        <OnServer>
          <button
            type="button"
            onClick={() =>
              askAbout(
                run,
                model.askedBy(run) ?? summary?.message ?? "",
                model.turnOf(run),
                model.metadata(),
              )
            }
          >
            Why this reply?
          </button>
        </OnServer>
        <CopyAs call={{ method: "GET", path: `v1/threads/${run.thread_id}/runs/${run.id}` }} />
      </div>
    </section>
  );
}

/** The statuses of the run, with the current one: the summary may be slightly older. */
function walkOf(run: Run, { walk }: RunSummary) {
  return walk.at(-1) === run.status ? walk : [...walk, run.status];
}

function Controls({ run }: { run: Run }) {
  const { api } = session.value;
  const path = `v1/threads/${run.thread_id}/runs/${run.id}`;
  // A poll like that of a client: under the pace `steps` the run advances by one status.
  const step = () => api.poll(path);
  const expire = async () => {
    const { now } = await api.get<{ now: string }>("_rehearsal/clock");
    const left = (run.expires_at ?? 0) - Math.floor(Date.parse(now) / 1000);
    await api.post("_rehearsal/clock", { advance: `${Math.max(left, 0) + 1}s` });
  };
  return (
    <p class="buttons">
      {run.status !== "requires_action" && <Action act={step}>Step</Action>}
      <Call label="Cancel the run" call={{ method: "POST", path: `${path}/cancel`, body: {} }} />
      {run.status === "requires_action" && <Action act={expire}>Let it expire</Action>}
    </p>
  );
}

/** The events of the run, each with its time since the first. */
function Events({ run }: { run: string }) {
  const isOpen = useSignal(false);
  const events = session.value.log.of(run);
  const text = () => asText(session.value.log.of(run));
  return (
    <details
      class="events"
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>
        {events.length} events, {Math.round(events.at(-1)?.at ?? 0)} ms
      </summary>
      {isOpen.value && (
        <>
          <p class="buttons">
            <Copy text={text} />
            <button
              type="button"
              class="small"
              onClick={() => save(`${run}.sse`, new Blob([text()], { type: "text/event-stream" }))}
            >
              Save as a file
            </button>
          </p>
          <ol>
            {events.map((event, place) => (
              <li key={place}>
                <details>
                  <summary>
                    <span class="at">{Math.round(event.at)} ms</span> {event.name}
                  </summary>
                  <Box text={pretty(event.data)} label={event.name} />
                </details>
              </li>
            ))}
          </ol>
        </>
      )}
    </details>
  );
}
