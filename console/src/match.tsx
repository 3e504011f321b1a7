/** Shows which reply would answer, and why the others would not. It creates no run. */
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { reasonOf } from "./api";
import { type ApiCall, CopyAs } from "./copy_as";
import { AssistantSelect } from "./fields";
import { go, session } from "./state";
import type { Match, Miss, Run } from "./types";
import { Problem } from "./ui";

/** The input of the form. It stays while the user looks at other pages. */
interface Question {
  assistant: string;
  message: string;
  model: string;
  instructions: string;
  metadata: string;
  /** The number of the run in its thread. */
  turn: number;
}

const question = signal<Question>({
  assistant: "",
  message: "",
  model: "",
  instructions: "",
  metadata: "",
  turn: 1,
});

/** Fills the form with a run: its message and its settings. */
export function askAbout(
  run: Run,
  message: string,
  turn: number,
  ofThread: Record<string, string>,
): void {
  const metadata = { ...ofThread, ...run.metadata };
  question.value = {
    assistant: run.assistant_id,
    message,
    model: run.model,
    instructions: run.instructions ?? "",
    metadata: Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : "",
    turn,
  };
  go({ page: "match" });
}

function callOf(asked: Question, assistant: string): ApiCall {
  const { message, model, instructions, metadata } = asked;
  const body = {
    assistant_id: assistant,
    thread: { messages: message === "" ? [] : [{ role: "user", content: message }] },
    ...(model !== "" && { model }),
    ...(instructions !== "" && { instructions }),
    ...(metadata.trim() !== "" && { metadata: JSON.parse(metadata) as unknown }),
  };
  const turn = asked.turn > 1 ? `?turn=${asked.turn}` : "";
  return { method: "POST", path: `_rehearsal/match${turn}`, body };
}

export function MatchPage() {
  const { api, assistants } = session.value;
  const asked = question.value;
  // The assistant may belong to another session or may be deleted.
  const known = assistants.value.find((it) => it.id === asked.assistant) ?? assistants.value[0];
  const assistant = known?.id ?? "";
  const changes = useSignal(0);
  const { live } = session.value;
  useEffect(
    () =>
      live.listen(({ name }) => {
        if (/^(fixtures|session|snapshot|thread\.run\.(completed|failed))/.test(name))
          changes.value += 1;
      }),
    [live],
  );
  const found = useSignal<Match | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (assistant === "") return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const { path, body } = callOf(asked, assistant);
        const answer = await api.ask<Match>(path, body);
        if (!isCurrent) return;
        found.value = answer;
        problem.value = undefined;
      } catch (error) {
        if (isCurrent) problem.value = reasonOf(error);
      }
    }, 150);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [api, asked, assistant, changes.value]);
  const field = (key: Exclude<keyof Question, "turn">, label: string, rows = 1) => (
    <label>
      {label}
      <textarea
        rows={rows}
        spellcheck={false}
        value={asked[key]}
        onInput={(event) => {
          question.value = { ...asked, [key]: event.currentTarget.value };
        }}
      />
    </label>
  );
  return (
    <section class="page" aria-label="Match">
      <h1>Which reply would answer?</h1>
      <p class="hint">Nothing is made: change the question until the right reply answers.</p>
      <div class="fields">
        <AssistantSelect
          id={assistant}
          choose={(id) => {
            question.value = { ...asked, assistant: id };
          }}
        />
        {field("message", "Message", 2)}
        {field("model", "Model")}
        {field("instructions", "Instructions")}
        {field("metadata", "Metadata, as JSON")}
        <label>
          Which run of its thread
          <input
            inputMode="numeric"
            value={asked.turn}
            onInput={(event) => {
              const turn = Number(event.currentTarget.value);
              question.value = { ...asked, turn: Number.isInteger(turn) && turn > 0 ? turn : 1 };
            }}
          />
        </label>
      </div>
      {assistants.value.length === 0 && <p class="hint">There is no assistant yet.</p>}
      {problem.value !== undefined && <Problem>{problem.value}</Problem>}
      {found.value !== undefined && <Answer match={found.value} />}
      {assistant !== "" && problem.value === undefined && (
        <CopyAs call={() => callOf(asked, assistant)} />
      )}
    </section>
  );
}

function Answer({ match }: { match: Match }) {
  const { reply, data } = match;
  const place = reply && `${reply.file}:${reply.line}`;
  return (
    <>
      <p role="status">
        {reply === null ? (
          <strong>No reply would answer.</strong>
        ) : (
          <>
            <strong>{reply.name ?? "A reply without a name"}</strong> would answer (
            <code>{place}</code>).
          </>
        )}
      </p>
      <ol class="judged">
        {data.map((it) => (
          <li
            key={`${it.file}:${it.line}`}
            class={place === `${it.file}:${it.line}` ? "chosen" : ""}
          >
            <strong>{it.reply ?? "without a name"}</strong>{" "}
            <code>
              {it.file}:{it.line}
            </code>{" "}
            {it.used_up && <em>used up</em>}
            <ul>
              {it.misses.map((miss) => (
                <Verdict key={miss.condition} holds={false} miss={miss} />
              ))}
              {it.held.map((miss) => (
                <Verdict key={miss.condition} holds miss={miss} />
              ))}
            </ul>
          </li>
        ))}
      </ol>
    </>
  );
}

function Verdict({ holds, miss }: { holds: boolean; miss: Miss }) {
  return (
    <li class={holds ? "holds" : "misses"}>
      {holds ? "✓" : "✗"} {miss.condition}: wants <bdi>{miss.expected}</bdi>, got{" "}
      <bdi>{miss.got}</bdi>
      {miss.hint !== null && !holds && <em> ({miss.hint})</em>}
    </li>
  );
}
