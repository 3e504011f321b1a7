/** Responses: the questions of chains and conversations, with every item of each. */
import { useSignal } from "@preact/signals";
import type { Api } from "./api";
import { useLoaded } from "./loaded";
import { session } from "./state";
import type { List, ResponseItem, ResponseObject, Turn } from "./types";
import { Box, Problem, Status } from "./ui";

/** The number of the newest questions that the page shows. */
const SHOWN = 100;
/** The maximum number of responses of a chain. */
const CHAIN = 50;

export function ResponsesPage() {
  const { api } = session.value;
  const chosen = useSignal<string | undefined>(undefined);
  const { data, problem } = useLoaded(
    () => api.get<List<Turn>>(`_rehearsal/turns?order=desc&limit=${SHOWN}`),
    [api],
    ["turn", "session"],
  );
  const turns = data?.data.filter((turn) => turn.api.startsWith("responses"));
  const turn = turns?.find(({ id }) => id === chosen.value);
  return (
    <section class="page" aria-label="Responses">
      <h1>Responses</h1>
      <p class="hint">
        The newest questions of Responses and Conversations. Choose one to see its items.
      </p>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {turns?.length === 0 && <p class="hint">No response yet.</p>}
      <ul class="runs" aria-label="Questions">
        {turns?.map((it) => (
          <li key={it.id} class="run">
            <button
              type="button"
              aria-pressed={it.id === chosen.value}
              onClick={() => {
                chosen.value = it.id;
              }}
            >
              <bdi class="words">{it.asked.messages.at(-1)?.content ?? "(no message)"}</bdi>{" "}
              <span class="hint">
                question {it.number} · {it.thread ?? "no conversation"} ·{" "}
                {it.answered.reply ?? "no reply"}
              </span>{" "}
              <Status status={it.answered.status} />
            </button>
          </li>
        ))}
      </ul>
      {turn !== undefined && <Dialogue key={turn.id} turn={turn} />}
    </section>
  );
}

/** Everything that was said up to the end of a turn. */
function Dialogue({ turn }: { turn: Turn }) {
  const { api } = session.value;
  const { data, problem } = useLoaded(() => itemsOf(api, turn), [turn.id, api], ["response"]);
  return (
    <>
      <h2>{turn.run}</h2>
      {problem !== undefined && (
        <>
          <p class="hint">The response is not stored ({problem}). The turn shows what is known.</p>
          <Box text={JSON.stringify(turn, null, 2)} label="Turn" />
        </>
      )}
      <ol class="items" aria-label="Items">
        {data?.map((item, place) => (
          <li key={place}>
            <Item item={item} />
          </li>
        ))}
      </ol>
    </>
  );
}

function Item({ item }: { item: ResponseItem }) {
  switch (item.type) {
    case "message":
      return (
        <p>
          <strong>{item.role}</strong> <bdi>{textOf(item)}</bdi>
        </p>
      );
    case "function_call":
      return (
        <p>
          <strong>calls {item.name}</strong> <code>{item.arguments}</code>
        </p>
      );
    case "function_call_output":
      return (
        <p>
          <strong>output</strong>{" "}
          <code>{typeof item.output === "string" ? item.output : JSON.stringify(item.output)}</code>
        </p>
      );
    default:
      return <Box text={JSON.stringify(item, null, 2)} label={item.type} />;
  }
}

function textOf({ content }: ResponseItem): string {
  return (content ?? []).map((part) => part.text ?? part.refusal ?? `(${part.type})`).join("\n");
}

/** The items of a conversation, or of the responses of a chain up to this one. */
async function itemsOf(api: Api, turn: Turn): Promise<ResponseItem[]> {
  if (turn.thread !== null) {
    const path = `v1/conversations/${encodeURIComponent(turn.thread)}/items?order=asc`;
    return api.all<ResponseItem>(path);
  }
  const items: ResponseItem[] = [];
  let next: string | null = turn.run;
  for (let walked = 0; next !== null && walked < CHAIN; walked += 1) {
    const path: string = `v1/responses/${encodeURIComponent(next)}`;
    const response = await api.get<ResponseObject>(path);
    const input = await api.all<ResponseItem>(`${path}/input_items?order=asc`);
    items.unshift(...input, ...response.output);
    next = response.previous_response_id;
  }
  return items;
}
