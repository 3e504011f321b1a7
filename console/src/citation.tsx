/** A citation: a number that opens the passages of the file. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Api, reasonOf } from "./api";
import { fileOf } from "./file_names";
import { session } from "./state";
import type { ThreadModel } from "./thread";
import type { Hit, List } from "./types";
import { Box } from "./ui";

export function Citation(props: { number: number; file: string; run: string | null }) {
  const isOpen = useSignal(false);
  return (
    <>
      <button
        type="button"
        class="citation"
        aria-label={`Citation ${props.number}`}
        onClick={() => {
          isOpen.value = true;
        }}
      >
        {props.number}
      </button>
      {isOpen.value && (
        <Passages
          {...props}
          close={() => {
            isOpen.value = false;
          }}
        />
      )}
    </>
  );
}

function Passages(props: { file: string; run: string | null; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const name = useSignal(props.file);
  const texts = useSignal<readonly string[]>([]);
  const problem = useSignal<string | undefined>(undefined);
  const { api, thread } = session.value;
  useEffect(() => {
    dialog.current?.showModal();
    const model = thread.peek();
    const read = async () => {
      const found = model === undefined ? [] : passagesOf(model, props.run, props.file);
      texts.value = found.length > 0 ? found : await contentOf(api, model, props.file);
      name.value = (await fileOf(api, props.file)).filename;
    };
    read().catch((error: unknown) => {
      problem.value = reasonOf(error);
    });
  }, [api, props.file]);
  return (
    <dialog ref={dialog} onClose={props.close} aria-label={`Passages of ${name.value}`}>
      <h2>
        <bdi>{name.value}</bdi>
      </h2>
      {problem.value !== undefined && <p class="hint">{problem.value}</p>}
      {texts.value.map((text, place) => (
        <Box key={place} text={text} label={`Passage ${place + 1}`} />
      ))}
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

/** The passages of the file that the searches of the run found. */
function passagesOf(model: ThreadModel, run: string | null, file: string): string[] {
  const calls = model
    .stepsOf(run ?? "")
    .flatMap((step) => step.step_details.tool_calls ?? [])
    .flatMap((call) => call.file_search?.results ?? []);
  return calls.filter((hit) => hit.file_id === file).flatMap(textsOf);
}

export function textsOf(hit: Hit): string[] {
  return (hit.content ?? []).flatMap((content) => content.text ?? []);
}

/** The whole text of the file, from the vector store of the thread or of an assistant. */
async function contentOf(
  api: Api,
  model: ThreadModel | undefined,
  file: string,
): Promise<string[]> {
  const owners = [model?.thread.peek(), ...session.peek().assistants.peek()];
  const stores = owners.flatMap((it) => it?.tool_resources?.file_search?.vector_store_ids ?? []);
  for (const store of new Set(stores)) {
    const files = await api.all<{ id: string }>(`v1/vector_stores/${store}/files?order=asc`);
    if (!files.some((it) => it.id === file)) continue;
    const path = `v1/vector_stores/${store}/files/${file}/content`;
    const { data } = await api.get<List<{ text?: string }>>(path);
    return data.flatMap((content) => content.text ?? []);
  }
  throw new Error("The text of this file is in no vector store of the thread or its assistants.");
}
