/** Makes an assistant: name, model, instructions, tools. */
import { useSignal } from "@preact/signals";
import { session } from "./state";
import type { Assistant } from "./types";
import { Action } from "./ui";

const FUNCTION = `[
  {"name": "getCurrentWeather",
   "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}}
]`;

export function AssistantForm({ made }: { made: (id: string) => void }) {
  const name = useSignal("");
  const model = useSignal("gpt-4o");
  const instructions = useSignal("");
  const functions = useSignal("");
  const tools = useSignal<readonly string[]>([]);
  const make = async () => {
    const { api } = session.peek();
    const own = functions.value.trim() === "" ? [] : (JSON.parse(functions.value) as unknown[]);
    const { id } = await api.post<Assistant>("v1/assistants", {
      model: model.value,
      ...(name.value !== "" && { name: name.value }),
      ...(instructions.value !== "" && { instructions: instructions.value }),
      tools: [
        ...tools.value.map((type) => ({ type })),
        ...own.map((it) => ({ type: "function", function: it })),
      ],
    });
    await session.peek().loadAssistants();
    made(id);
  };
  const field = (value: { value: string }, label: string) => (
    <label>
      {label}
      <input
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.value;
        }}
      />
    </label>
  );
  return (
    <form class="assistant-form" aria-label="New assistant" onSubmit={(it) => it.preventDefault()}>
      <h2>New assistant</h2>
      <div class="fields">
        {field(name, "Name")}
        {field(model, "Model")}
        {field(instructions, "Instructions")}
      </div>
      <fieldset>
        <legend>Tools</legend>
        {["code_interpreter", "file_search"].map((type) => (
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
      <label>
        Functions, as a JSON list
        <textarea
          rows={4}
          spellcheck={false}
          placeholder={FUNCTION}
          value={functions.value}
          onInput={(event) => {
            functions.value = event.currentTarget.value;
          }}
        />
      </label>
      <Action isMain act={make}>
        Make the assistant
      </Action>
    </form>
  );
}
