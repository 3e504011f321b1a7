/** Assistants: made, changed, duplicated, deleted. */
import { useSignal } from "@preact/signals";
import { AssistantForm } from "./assistant_form";
import { CopyAs } from "./copy_as";
import { OnServer } from "./on_server";
import { session } from "./state";
import type { Assistant } from "./types";
import { Action } from "./ui";

export function AssistantsPage() {
  const { api, assistants } = session.value;
  const edited = useSignal<Assistant | "new" | undefined>(undefined);
  const remove = async (id: string) => {
    await api.delete(`v1/assistants/${id}`);
    await session.peek().loadAssistants();
  };
  const duplicate = async ({ id: _, ...assistant }: Assistant) => {
    const { object, created_at, ...rest } = assistant as Assistant & Record<string, unknown>;
    await api.post("v1/assistants", { ...rest, name: `${assistant.name ?? "Assistant"} (copy)` });
    await session.peek().loadAssistants();
  };
  if (edited.value !== undefined) {
    return (
      <section class="page" aria-label="Assistants">
        <AssistantForm
          {...(edited.value !== "new" && { assistant: edited.value })}
          made={() => {
            edited.value = undefined;
          }}
        />
        <button
          type="button"
          onClick={() => {
            edited.value = undefined;
          }}
        >
          Back
        </button>
      </section>
    );
  }
  return (
    <section class="page" aria-label="Assistants">
      <h1>Assistants</h1>
      <p class="buttons">
        <OnServer>
          <button
            type="button"
            onClick={() => {
              edited.value = "new";
            }}
          >
            New assistant
          </button>
        </OnServer>
        <CopyAs call={{ method: "GET", path: "v1/assistants" }} />
      </p>
      {assistants.value.length === 0 && <p class="hint">There is none yet.</p>}
      <ul class="cards">
        {assistants.value.map((assistant) => {
          const name = assistant.name ?? assistant.id;
          return (
            <li key={assistant.id}>
              <p class="line">
                <bdi class="role">{name}</bdi> <code>{assistant.id}</code>
              </p>
              <p class="hint">
                {assistant.model}
                {assistant.tools.map((tool) => ` · ${tool.function?.name ?? tool.type}`)}
              </p>
              {assistant.instructions && <p class="plain clipped">{assistant.instructions}</p>}
              <p class="buttons">
                <OnServer>
                  <button
                    type="button"
                    onClick={() => {
                      edited.value = assistant;
                    }}
                  >
                    Edit {name}
                  </button>
                </OnServer>
                <Action act={() => duplicate(assistant)}>Duplicate</Action>
                <Action act={() => remove(assistant.id)}>Delete</Action>
                <CopyAs call={{ method: "GET", path: `v1/assistants/${assistant.id}` }} />
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
