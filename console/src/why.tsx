/** The reason for the answer of a run: the reply and its place, or the nearest replies. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { reasonOf } from "./api";
import { TextArea } from "./fields";
import { OnServer } from "./on_server";
import { session } from "./state";
import { startRun } from "./stream";
import type { List, NearMiss, Run, RunSummary, Unmatched } from "./types";
import { Action, Copy, Problem } from "./ui";

export function Why({ summary, run }: { summary: RunSummary; run: Run }) {
  if (summary.unmatched) return <NoReply run={run} />;
  if (summary.reply === null) return null;
  const { name, file, line } = summary.reply;
  return (
    <p class="why">
      Reply <strong>{name ?? "without a name"}</strong>{" "}
      <code>
        {file}:{line}
      </code>
    </p>
  );
}

function NoReply({ run }: { run: Run }) {
  const found = useSignal<Unmatched | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const { api } = session.value;
  useEffect(() => {
    const read = async () => {
      const { data } = await api.get<List<Unmatched>>(`_rehearsal/unmatched?run=${run.id}`);
      found.value = data[0];
    };
    read().catch((error: unknown) => {
      problem.value = reasonOf(error);
    });
  }, [api, run.id]);
  return (
    <div class="why">
      <p>
        <strong>No reply matched.</strong>
      </p>
      {problem.value !== undefined && <Problem>{problem.value}</Problem>}
      {found.value !== undefined && (
        <>
          <Nearest nearest={found.value.nearest} />
          <OnServer>
            <SaveAsReply stub={found.value.stub} run={run} />
          </OnServer>
        </>
      )}
    </div>
  );
}

function Nearest({ nearest }: { nearest: NearMiss[] }) {
  if (nearest.length === 0) return <p class="hint">There are no replies that could have.</p>;
  return (
    <ul class="nearest">
      {nearest.map((near) => (
        <li key={`${near.file}:${near.line}`}>
          <strong>{near.reply ?? "a reply without a name"}</strong>{" "}
          <code>
            {near.file}:{near.line}
          </code>
          {near.used_up && <p class="hint">It is used up: its `times` are over.</p>}
          <dl>
            {near.misses.map((miss) => (
              <div key={miss.condition}>
                <dt>{miss.condition}</dt>
                <dd>
                  wants <bdi>{miss.expected}</bdi>, got <bdi>{miss.got}</bdi>
                  {miss.hint !== null && <em> ({miss.hint})</em>}
                </dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  );
}

/** A reply to start from: to copy into a file, or to add to the session and try at once. */
function SaveAsReply({ stub, run }: { stub: string; run: Run }) {
  const text = useSignal(stub);
  const saved = useSignal<string | undefined>(undefined);
  const { api } = session.value;
  const put = async () => {
    await api.addFixtures(text.value);
    saved.value = text.value;
  };
  // The new run would use the newest message of its thread.
  const isNewest = session.value.thread.value?.newestRun.value?.id === run.id;
  const again = () => startRun(session.peek(), run.thread_id, { assistant_id: run.assistant_id });
  return (
    <details class="save">
      <summary>Save as a reply</summary>
      <TextArea label="Fixture" value={text} />
      <p class="buttons">
        <Copy text={text.value} label="Copy as YAML" />
        <Action isMain act={put} isDisabled={saved.value === text.value}>
          Put it into this session
        </Action>
        {isNewest && <Action act={again}>Run again</Action>}
      </p>
      {saved.value !== undefined && (
        <p role="status">
          The session has it now, until the server stops. To keep it, copy it into a fixture file.
        </p>
      )}
    </details>
  );
}
