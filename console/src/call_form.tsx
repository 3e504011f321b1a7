/** The form for a run that waits: one field for the output of each call. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { CopyAs } from "./copy_as";
import { exampleOf, expectedOutput } from "./outputs";
import { session } from "./state";
import { submitOutputs } from "./stream";
import type { FunctionCall, List, LoadedReply, Run, RunSummary } from "./types";
import { Action, Box, pretty } from "./ui";

export function CallForm({ run, summary }: { run: Run; summary: RunSummary | undefined }) {
  const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  const outputs = useSignal<Record<string, string>>({});
  const read = useReadOutputs(summary);
  const outputOf = (call: FunctionCall) =>
    outputs.value[call.id] ?? suggestion(call, run, summary, read);
  const given = () => calls.map((call) => ({ tool_call_id: call.id, output: outputOf(call) }));
  const submit = () => submitOutputs(session.peek(), run.thread_id, run.id, given());
  return (
    <form class="calls" onSubmit={(event) => event.preventDefault()} aria-label="Tool outputs">
      <p>
        The run waits for the output of {calls.length === 1 ? "a call" : `${calls.length} calls`}.
      </p>
      {calls.map((call) => (
        <div class="call" key={call.id}>
          <h3>
            <bdi>{call.function.name}</bdi>
          </h3>
          <Box
            text={pretty(call.function.arguments)}
            label={`Arguments of ${call.function.name}`}
          />
          <label>
            Output of {call.function.name}
            <textarea
              rows={5}
              spellcheck={false}
              value={outputOf(call)}
              onInput={(event) => {
                outputs.value = { ...outputs.value, [call.id]: event.currentTarget.value };
              }}
            />
          </label>
        </div>
      ))}
      <p class="buttons">
        <Action isMain act={submit}>
          Submit outputs
        </Action>
        <CopyAs
          call={() => ({
            method: "POST",
            path: `v1/threads/${run.thread_id}/runs/${run.id}/submit_tool_outputs`,
            body: { tool_outputs: given() },
          })}
        />
      </p>
    </form>
  );
}

/** The parts of outputs that the reply of the run reads. */
function useReadOutputs(summary: RunSummary | undefined): readonly string[] {
  const read = useSignal<readonly string[]>([]);
  const { api } = session.value;
  const place = summary?.reply ? `${summary.reply.file}:${summary.reply.line}` : undefined;
  useEffect(() => {
    if (place === undefined) return;
    const find = async () => {
      const { data } = await api.get<List<LoadedReply>>("_rehearsal/fixtures");
      const reply = data.find((it) => `${it.file}:${it.line}` === place);
      read.value = reply?.outputs ?? [];
    };
    // After an error, the fields are empty.
    find().catch(() => {});
  }, [api, place]);
  return read.value;
}

/**
 * The initial text: the keys that the reply reads or, without a reply, an example from the schema.
 */
function suggestion(
  call: FunctionCall,
  run: Run,
  summary: RunSummary | undefined,
  read: readonly string[],
): string {
  const { name } = call.function;
  const isScripted = summary === undefined || summary.reply !== null;
  const schema = run.tools.find((tool) => tool.function?.name === name)?.function?.parameters;
  const expected = isScripted ? expectedOutput(name, read) : exampleOf(schema);
  return expected === undefined ? "" : JSON.stringify(expected, null, 2);
}
