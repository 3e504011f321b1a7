/** Assistants: create, change, duplicate, delete. */
import { useSignal } from "@preact/signals";
import { AssistantForm } from "./assistant_form";
import { Call } from "./call";
import { CopyAs } from "./copy_as";
import { OnServer } from "./on_server";
import { session } from "./state";
import type { Assistant } from "./types";

export function AssistantsPage() {
  const { assistants } = session.value;
  const edited = useSignal<Assistant | "new" | undefined>(undefined);
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
                <Call
                  label="Duplicate"
                  call={{ method: "POST", path: "v1/assistants", body: copyOf(assistant) }}
                  done={() => session.peek().loadAssistants()}
                />
                <Call
                  label="Delete"
                  call={{ method: "DELETE", path: `v1/assistants/${assistant.id}` }}
                  done={() => session.peek().loadAssistants()}
                />
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** The body of a request for a copy of an assistant. */
function copyOf(assistant: Assistant): Record<string, unknown> {
  const { id: _, name, ...rest } = assistant;
  const { object, created_at, ...settings } = rest as Record<string, unknown>;
  return { ...settings, name: `${name ?? "Assistant"} (copy)` };
}
