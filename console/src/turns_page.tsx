/** Turns: the input of the model and its answer. Two turns can be compared word by word. */
import { useSignal } from "@preact/signals";
import { diffWordsWithSpace } from "diff";
import { Api } from "./api";
import { useLoaded } from "./loaded";
import { linkTo, session } from "./state";
import type { List, Turn } from "./types";
import { Box, Problem, Status } from "./ui";

/** The number of the newest turns that the page shows. */
const SHOWN = 100;
/** A longer text is compared line by line, because a full comparison would block the page. */
const LONGEST = 20_000;

export function TurnsPage() {
  const { name } = session.value;
  const other = useSignal(name);
  const first = useSignal<Turn | undefined>(undefined);
  const second = useSignal<Turn | undefined>(undefined);
  return (
    <section class="page" aria-label="Turns">
      <h1>Turns</h1>
      <p class="hint">
        What the model was asked, and what it answered. Choose one on each side to compare them.
      </p>
      <div class="pair">
        <TurnList title="First" of={name} chosen={first} />
        <div>
          <label>
            Session of the second{" "}
            <input
              class="short"
              value={other.value}
              onChange={(event) => {
                other.value = event.currentTarget.value;
                second.value = undefined;
              }}
            />
          </label>
          <TurnList title="Second" of={other.value} chosen={second} />
        </div>
      </div>
      {first.value !== undefined && second.value !== undefined ? (
        <Compared one={first.value} other={second.value} />
      ) : (
        first.value !== undefined && <Shown turn={first.value} />
      )}
    </section>
  );
}

function TurnList(props: { title: string; of: string; chosen: { value: Turn | undefined } }) {
  const { title, of, chosen } = props;
  const own = session.value;
  const { data, problem } = useLoaded(
    () => new Api(of).get<List<Turn>>(`_rehearsal/turns?order=desc&limit=${SHOWN}`),
    [of, own.api],
    ["turn", "session"],
  );
  return (
    <fieldset class="turns">
      <legend>
        {title}: session {of}
      </legend>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {data?.data.length === 0 && <p class="hint">No turn yet.</p>}
      {(data?.data ?? []).map((turn) => (
        <label key={turn.id} class="check">
          <input
            type="radio"
            name={title}
            checked={chosen.value?.id === turn.id}
            onChange={() => {
              chosen.value = turn;
            }}
          />
          <span>
            <bdi class="words">{turn.asked.messages.at(-1)?.content ?? "(no message)"}</bdi>
            <span class="hint">
              {turn.asked.assistant?.name ?? turn.asked.assistant?.id} · turn {turn.number} ·{" "}
              {turn.api} · {turn.answered.reply ?? "no reply"}
            </span>{" "}
            <Status status={turn.answered.status} />
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function Shown({ turn }: { turn: Turn }) {
  return (
    <>
      {turn.thread !== null && (
        <p>
          <a href={linkTo({ page: "thread", thread: turn.thread })}>Go to its thread</a>
        </p>
      )}
      <h2>Asked</h2>
      <Box text={textOf(turn.asked)} label="Asked" />
      <h2>Answered</h2>
      <Box text={textOf(turn.answered)} label="Answered" />
    </>
  );
}

function textOf(part: unknown): string {
  return JSON.stringify(part, null, 2);
}

function Compared({ one, other }: { one: Turn; other: Turn }) {
  return (
    <>
      <h2>Asked</h2>
      <Diff before={textOf(one.asked)} after={textOf(other.asked)} label="Asked" />
      <h2>Answered</h2>
      <Diff before={textOf(one.answered)} after={textOf(other.answered)} label="Answered" />
    </>
  );
}

function Diff({ before, after, label }: { before: string; after: string; label: string }) {
  if (before === after) return <p class="hint">They are the same.</p>;
  if (before.length + after.length > LONGEST) {
    return (
      <div class="pair">
        <Box text={before} label={`${label}: first`} />
        <Box text={after} label={`${label}: second`} />
      </div>
    );
  }
  return (
    <pre class="box diff" tabIndex={0} role="group" aria-label={label}>
      {diffWordsWithSpace(before, after).map((part, place) =>
        part.added ? (
          <ins key={place}>{part.value}</ins>
        ) : part.removed ? (
          <del key={place}>{part.value}</del>
        ) : (
          part.value
        ),
      )}
    </pre>
  );
}
