/** Which reply would answer, and why the others would not: without making a run. */
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { reasonOf } from "./api";
import { type ApiCall, CopyAs } from "./copy_as";
import { AssistantSelect } from "./fields";
import { go, session } from "./state";
import type { Match, Miss, Run } from "./types";
import { Problem } from "./ui";

/** What is asked. Kept while other pages are looked at. */
interface Question {
  assistant: string;
  message: string;
  model: string;
  instructions: string;
  metadata: string;
}

const question = signal<Question>({
  assistant: "",
  message: "",
  model: "",
  instructions: "",
  metadata: "",
});

/** Asks about a run: what it was asked, with its settings. */
export function askAbout(run: Run, message: string): void {
  question.value = {
    assistant: run.assistant_id,
    message,
    model: run.model,
    instructions: run.instructions ?? "",
    metadata: Object.keys(run.metadata ?? {}).length > 0 ? JSON.stringify(run.metadata) : "",
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
  return { method: "POST", path: "_rehearsal/match", body };
}

export function MatchPage() {
  const { api, assistants } = session.value;
  const asked = question.value;
  const assistant = asked.assistant || assistants.value[0]?.id || "";
  const found = useSignal<Match | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (assistant === "") return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const { path, body } = callOf(asked, assistant);
        const answer = await api.post<Match>(path, body);
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
  }, [api, asked, assistant]);
  const field = (key: keyof Question, label: string, rows = 1) => (
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
