/** Sends a message to a thread, with a run of any assistant. */
import { type Signal, signal, useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { type Api, reasonOf } from "./api";
import { AssistantForm } from "./assistant_form";
import { type ApiCall, CopyAs } from "./copy_as";
import { AssistantSelect } from "./fields";
import { imageType } from "./files";
import { isReport } from "./report";
import type { SessionModel } from "./session";
import { go, session } from "./state";
import { startRun } from "./stream";
import type { ThreadModel } from "./thread";
import { type Assistant, hasEnded, type Thread } from "./types";
import { Action } from "./ui";

/** The settings of a run that override those of its assistant. */
interface Overrides {
  model: string;
  instructions: string;
  additional_instructions: string;
  tool_choice: string;
  temperature: string;
  max_completion_tokens: string;
  reply: string;
}

const NONE: Overrides = {
  model: "",
  instructions: "",
  additional_instructions: "",
  tool_choice: "",
  temperature: "",
  max_completion_tokens: "",
  reply: "",
};

/** The overrides of a session: they stay while the user looks at other threads. */
const kept = new WeakMap<SessionModel, Signal<Overrides>>();

function overridesOf(of: SessionModel): Signal<Overrides> {
  const known = kept.get(of) ?? signal(NONE);
  kept.set(of, known);
  return known;
}

export function Composer({ model }: { model?: ThreadModel }) {
  const { assistants } = session.value;
  const chosen = useSignal<string | undefined>(undefined);
  const text = useSignal("");
  const files = useSignal<readonly File[]>([]);
  const overrides = overridesOf(session.value);
  const isDragged = useSignal(false);
  const isMaking = useSignal(false);
  const field = useId();

  const newest = model?.newestRun.value;
  const isHeld = newest !== undefined && !hasEnded(newest.status);
  const fallback = newest?.assistant_id ?? assistants.value[0]?.id;
  const named = assistants.value.find((it) => it.id === (chosen.value ?? fallback));
  // The assistant of the thread may be deleted.
  const assistant = named ?? assistants.value[0];

  const send = async () => {
    if (assistant === undefined) throw new Error("Choose an assistant, or make one.");
    const [shown, before] = [session.peek(), location.hash];
    const { api } = shown;
    const { reply } = overrides.value;
    const params = runParams(assistant, overrides.value);
    const headers: Record<string, string> = reply === "" ? {} : { "x-rehearsal-reply": reply };
    const content = await contentOf(api, text.value, files.value, assistant);
    const thread = model?.id ?? (await api.post<Thread>("v1/threads")).id;
    await api.post(`v1/threads/${thread}/messages`, { role: "user", ...content });
    text.value = "";
    files.value = [];
    shown.notice.value = undefined;
    try {
      await startRun(shown, thread, params, headers);
    } catch (error) {
      shown.notice.value = `The message was added, but no run: ${reasonOf(error)}`;
    }
    if (location.hash === before) go({ page: "thread", thread });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    isDragged.value = false;
    files.value = [...files.value, ...(event.dataTransfer?.files ?? [])];
  };
  if (isReport || !session.value.isLoaded.value) return null;
  if (isMaking.value || assistants.value.length === 0) {
    return (
      <>
        <AssistantForm
          made={(id) => {
            chosen.value = id;
            isMaking.value = false;
          }}
        />
        {assistants.value.length > 0 && (
          <button
            type="button"
            onClick={() => {
              isMaking.value = false;
            }}
          >
            Back to the message
          </button>
        )}
      </>
    );
  }
  return (
    <form
      class={isDragged.value ? "composer dragged" : "composer"}
      aria-label="New message"
      onSubmit={(event) => event.preventDefault()}
      onDragOver={(event) => {
        event.preventDefault();
        isDragged.value = true;
      }}
      onDragLeave={() => {
        isDragged.value = false;
      }}
      onDrop={drop}
    >
      <label class="unseen" for={field}>
        Message
      </label>
      <textarea
        id={field}
        rows={2}
        placeholder="Message. Ctrl+Enter sends it."
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          event.currentTarget.form?.querySelector<HTMLButtonElement>("button.main")?.click();
        }}
      />
      {files.value.length > 0 && (
        <ul class="files">
          {files.value.map((file, place) => (
            <li key={place}>
              <bdi>{file.name}</bdi>{" "}
              <button
                type="button"
                class="small"
                aria-label={`Remove ${file.name}`}
                onClick={() => {
                  files.value = files.value.filter((it) => it !== file);
                }}
              >
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="buttons">
        <AssistantSelect
          id={assistant?.id}
          choose={(id) => {
            chosen.value = id;
          }}
          isLabelUnseen
        />
        <button
          type="button"
          onClick={() => {
            isMaking.value = true;
          }}
        >
          New assistant
        </button>
        <label class="button attach">
          Attach
          <input
            class="unseen"
            type="file"
            multiple
            onChange={(event) => {
              files.value = [...files.value, ...(event.currentTarget.files ?? [])];
              event.currentTarget.value = "";
            }}
          />
        </label>
        <Action
          isMain
          act={send}
          isDisabled={
            isHeld || model?.isGone.value === true || (text.value === "" && !files.value.length)
          }
        >
          Send
        </Action>
        {isHeld && <span class="hint">A run holds the thread.</span>}
      </div>
      <OverridesForm overrides={overrides} assistant={assistant} />
      {assistant !== undefined && text.value !== "" && (
        <CopyAs call={() => runCall(model?.id, assistant, overrides.value, text.value)} />
      )}
    </form>
  );
}

function OverridesForm(props: {
  overrides: { value: Overrides };
  assistant: Assistant | undefined;
}) {
  const { overrides, assistant } = props;
  const choices = choicesOf(assistant);
  const field = (key: keyof Overrides, label: string, mode: "text" | "decimal" = "text") => (
    <label>
      {label}
      <input
        inputMode={mode}
        value={overrides.value[key]}
        onInput={(event) => {
          overrides.value = { ...overrides.value, [key]: event.currentTarget.value };
        }}
      />
    </label>
  );
  return (
    <details class="overrides">
      <summary>Run overrides</summary>
      <div class="fields">
        {field("model", "Model")}
        {field("instructions", "Instructions")}
        {field("additional_instructions", "Additional instructions")}
        <label>
          Tool choice
          <select
            value={overrides.value.tool_choice}
            onChange={(event) => {
              overrides.value = { ...overrides.value, tool_choice: event.currentTarget.value };
            }}
          >
            <option value="">as the API chooses</option>
            {choices.map((choice) => (
              <option key={choice}>{choice}</option>
            ))}
          </select>
        </label>
        {field("temperature", "Temperature", "decimal")}
        {field("max_completion_tokens", "Max completion tokens", "decimal")}
        {field("reply", "Reply by name")}
      </div>
    </details>
  );
}

/** The message and the run as one request. */
function runCall(
  thread: string | undefined,
  assistant: Assistant,
  overrides: Overrides,
  content: string,
): ApiCall {
  const params = runParams(assistant, overrides);
  const messages = [{ role: "user", content }];
  return thread === undefined
    ? { method: "POST", path: "v1/threads/runs", body: { ...params, thread: { messages } } }
    : {
        method: "POST",
        path: `v1/threads/${thread}/runs`,
        body: { ...params, additional_messages: messages },
      };
}

/** The body of a run, with only the set fields. */
function runParams(assistant: Assistant, overrides: Overrides): Record<string, unknown> {
  const { temperature, max_completion_tokens, tool_choice, reply: _, ...texts } = overrides;
  const params: Record<string, unknown> = { assistant_id: assistant.id };
  for (const [key, value] of Object.entries(texts)) if (value !== "") params[key] = value;
  if (temperature !== "") params.temperature = numberOf("Temperature", temperature);
  if (max_completion_tokens !== "") {
    params.max_completion_tokens = numberOf("Max completion tokens", max_completion_tokens);
  }
  // A choice for another assistant may not fit this one.
  if (choicesOf(assistant).includes(tool_choice)) params.tool_choice = toolChoice(tool_choice);
  return params;
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Error(`${name}: ${text} is no number; write 0.5`);
  return number;
}

function choicesOf(assistant: Assistant | undefined): string[] {
  const functions = (assistant?.tools ?? []).flatMap((tool) => tool.function?.name ?? []);
  return ["auto", "none", "required", "code_interpreter", "file_search", ...functions];
}

function toolChoice(choice: string): unknown {
  if (["auto", "none", "required"].includes(choice)) return choice;
  if (["code_interpreter", "file_search"].includes(choice)) return { type: choice };
  return { type: "function", function: { name: choice } };
}

/**
 * The content of a message: images are inside, other files are attached for the tools of the
 * assistant.
 */
async function contentOf(api: Api, text: string, files: readonly File[], assistant: Assistant) {
  const parts: unknown[] = text === "" ? [] : [{ type: "text", text }];
  const attachments: unknown[] = [];
  const known = assistant.tools.map(({ type }) => type);
  const tools = ["file_search", "code_interpreter"].filter((type) => known.includes(type));
  for (const file of files) {
    const isImage = imageType(file.name) !== undefined;
    const { id } = await api.upload(file, isImage ? "vision" : "assistants");
    if (isImage) parts.push({ type: "image_file", image_file: { file_id: id } });
    else {
      const used = tools.length > 0 ? tools : ["file_search"];
      attachments.push({ file_id: id, tools: used.map((type) => ({ type })) });
    }
  }
  const content = parts.length === 0 ? [{ type: "text", text: "(files)" }] : parts;
  return { content, ...(attachments.length > 0 && { attachments }) };
}
