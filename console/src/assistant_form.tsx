/** Creates or changes an assistant: name, model, instructions, tools. */
import { useSignal } from "@preact/signals";
import { CopyAs } from "./copy_as";
import { TextArea, TextField } from "./fields";
import { session } from "./state";
import type { Assistant } from "./types";
import { Action } from "./ui";

const BUILT_IN = ["code_interpreter", "file_search"];
const FUNCTION = `[
  {"name": "getCurrentWeather",
   "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}}
]`;

export function AssistantForm(props: { assistant?: Assistant; made: (id: string) => void }) {
  const { assistant, made } = props;
  const known = assistant?.tools ?? [];
  const own = known.flatMap((tool) => tool.function ?? []);
  const name = useSignal(assistant?.name ?? "");
  const model = useSignal(assistant?.model ?? "gpt-4o");
  const instructions = useSignal(assistant?.instructions ?? "");
  const stored = assistant?.tool_resources?.file_search?.vector_store_ids?.[0] ?? "";
  const store = useSignal(stored);
  const functions = useSignal(own.length > 0 ? JSON.stringify(own, null, 2) : "");
  const tools = useSignal<readonly string[]>(
    known.flatMap(({ type }) => (BUILT_IN.includes(type) ? [type] : [])),
  );
  const path = assistant === undefined ? "v1/assistants" : `v1/assistants/${assistant.id}`;
  const bodyOf = () => {
    const text = functions.value.trim();
    const listed = text === "" ? [] : (JSON.parse(text) as unknown);
    if (!Array.isArray(listed)) throw new Error("The functions are no JSON list.");
    return {
      model: model.value,
      name: name.value || null,
      instructions: instructions.value || null,
      tools: [
        // Fields of a tool that the form does not show stay the same.
        ...tools.value.map((type) => known.find((tool) => tool.type === type) ?? { type }),
        ...known.filter(({ type }) => type !== "function" && !BUILT_IN.includes(type)),
        ...listed.map((it: unknown) => ({ type: "function", function: it })),
      ],
      ...(store.value !== stored && {
        tool_resources: { file_search: { vector_store_ids: store.value ? [store.value] : [] } },
      }),
    };
  };
  const save = async () => {
    const { id } = await session.peek().api.post<Assistant>(path, bodyOf());
    await session.peek().loadAssistants();
    made(id);
  };
  const title = assistant === undefined ? "New assistant" : `Edit ${name.value}`;
  return (
    <form class="assistant-form" aria-label={title} onSubmit={(it) => it.preventDefault()}>
      <h2>{title}</h2>
      <div class="fields">
        <TextField label="Name" value={name} />
        <TextField label="Model" value={model} />

        <TextField label="Vector store, by its id" value={store} />
      </div>
      <TextArea label="Instructions" value={instructions} />
      <fieldset>
        <legend>Tools</legend>
        {BUILT_IN.map((type) => (
          <label key={type}>
            <input
              type="checkbox"
              checked={tools.value.includes(type)}
              onChange={(event) => {
                const others = tools.value.filter((it) => it !== type);
                tools.value = event.currentTarget.checked ? [...others, type] : others;
              }}
            />
            {type}
          </label>
        ))}
      </fieldset>
      <TextArea label="Functions, as a JSON list" value={functions} placeholder={FUNCTION} />
      <p class="buttons">
        <Action isMain act={save}>
          {assistant === undefined ? "Make the assistant" : "Save the assistant"}
        </Action>
        <CopyAs call={() => ({ method: "POST", path, body: bodyOf() })} />
      </p>
    </form>
  );
}
