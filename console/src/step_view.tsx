/** The actions of a run besides messages: called functions, executed code, searched files. */
import { textsOf } from "./citation";
import { Image } from "./files";
import type { Hit, Step, ToolCall } from "./types";
import { Box, pretty } from "./ui";

export function StepView({ step }: { step: Step }) {
  return (
    <section class="step" aria-label="Run step">
      {(step.step_details.tool_calls ?? []).map((call, place) => (
        <CallView key={call.id ?? place} call={call} />
      ))}
    </section>
  );
}

function CallView({ call }: { call: ToolCall }) {
  if (call.function !== undefined) return <FunctionView {...call.function} />;
  if (call.code_interpreter !== undefined) return <CodeView {...call.code_interpreter} />;
  return <SearchView hits={call.file_search?.results ?? []} />;
}

function FunctionView(call: NonNullable<ToolCall["function"]>) {
  return (
    <div class="call">
      <h3>
        <bdi>{call.name}</bdi>
      </h3>
      <Box text={pretty(call.arguments)} label={`Arguments of ${call.name}`} />
      {typeof call.output === "string" && (
        <>
          <p class="hint">Output</p>
          <Box text={pretty(call.output)} label={`Output of ${call.name}`} />
        </>
      )}
    </div>
  );
}

function CodeView({ input, outputs }: NonNullable<ToolCall["code_interpreter"]>) {
  return (
    <div class="call">
      <h3>code_interpreter</h3>
      <Box text={input} label="Code" />
      {outputs.map((output, place) =>
        output.image === undefined ? (
          <Box key={place} text={output.logs ?? ""} label="Logs" />
        ) : (
          <Image key={place} id={output.image.file_id} />
        ),
      )}
    </div>
  );
}

function SearchView({ hits }: { hits: Hit[] }) {
  return (
    <div class="call">
      <h3>file_search</h3>
      {hits.length === 0 && <p class="hint">Nothing found.</p>}
      <ol class="hits">
        {hits.map((hit, place) => (
          <li key={place}>
            <p class="line">
              <bdi>{hit.file_name}</bdi>
              <meter min={0} max={1} value={hit.score} aria-label="Score" />
              <span>{hit.score.toFixed(2)}</span>
            </p>
            {textsOf(hit).map((text) => (
              <Box key={text} text={text} label={`Passage of ${hit.file_name}`} />
            ))}
          </li>
        ))}
      </ol>
    </div>
  );
}
