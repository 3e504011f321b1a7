/** Vector stores and files: uploads, their status and text, searches with scores. */
import { useSignal } from "@preact/signals";
import { Call } from "./call";
import { CopyAs } from "./copy_as";
import { TextField } from "./fields";
import { Download } from "./files";
import { useLoaded } from "./loaded";
import { OnServer } from "./on_server";
import { isReport } from "./report";
import { session } from "./state";
import type { Chunk, List, SearchHit, StoredFile, StoreFile, VectorStore } from "./types";
import { Action, Box, Problem } from "./ui";

export function FilesPage() {
  const { api } = session.value;
  const stores = useLoaded(
    () => api.all<VectorStore>("v1/vector_stores?order=desc"),
    [api],
    ["vector_store", "session", "snapshot"],
  );
  const files = useLoaded(
    () => api.all<StoredFile>("v1/files?order=desc"),
    [api],
    ["file", "session", "snapshot"],
  );
  const name = useSignal("documents");
  return (
    <section class="page" aria-label="Files">
      <h1>Vector stores</h1>
      {stores.problem !== undefined && <Problem>{stores.problem}</Problem>}
      <p class="buttons">
        <OnServer>
          <TextField label="Name" value={name} isShort />
        </OnServer>
        <Call
          label="New vector store"
          call={{ method: "POST", path: "v1/vector_stores", body: { name: name.value } }}
          done={stores.reload}
        />
      </p>
      {stores.data?.length === 0 && <p class="hint">There is none yet.</p>}
      <ul class="cards">
        {(stores.data ?? []).map((store) => (
          <li key={store.id}>
            <Store store={store} files={files.data ?? []} reload={stores.reload} />
          </li>
        ))}
      </ul>
      <h2>Files</h2>
      {files.problem !== undefined && <Problem>{files.problem}</Problem>}
      {files.data?.length === 0 && <p class="hint">There is none yet.</p>}
      <ul>
        {(files.data ?? []).map((file) => (
          <li key={file.id} class="buttons">
            <bdi>{file.filename}</bdi> <code>{file.id}</code>
            <span class="hint">
              {file.bytes} bytes, {file.purpose}
            </span>
            {file.purpose !== "assistants" && <Download id={file.id} />}
            <Call
              label="Delete"
              call={{ method: "DELETE", path: `v1/files/${file.id}` }}
              done={files.reload}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Store(props: { store: VectorStore; files: StoredFile[]; reload: () => void }) {
  const { store, files, reload } = props;
  const { api } = session.value;
  const path = `v1/vector_stores/${store.id}`;
  const isDragged = useSignal(false);
  const problem = useSignal<string | undefined>(undefined);
  const contents = useLoaded(
    () => api.all<StoreFile>(`${path}/files?order=asc`),
    [api, store.id],
    ["vector_store", "session"],
  );
  const add = async (added: FileList | undefined) => {
    problem.value = undefined;
    try {
      for (const file of added ?? []) {
        const { id } = await api.upload(file, "assistants");
        await api.post(`${path}/files`, { file_id: id });
      }
    } catch (error) {
      problem.value = String(error);
    }
    contents.reload();
    reload();
  };
  return (
    <section
      class={isDragged.value ? "store dragged" : "store"}
      aria-label={`Vector store ${store.name ?? store.id}`}
      onDragOver={(event) => {
        event.preventDefault();
        isDragged.value = true;
      }}
      onDragLeave={() => {
        isDragged.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        isDragged.value = false;
        void add(event.dataTransfer?.files);
      }}
    >
      <p class="line">
        <bdi class="role">{store.name ?? store.id}</bdi> <code>{store.id}</code>
      </p>
      <p class="buttons">
        <span class="hint">
          {store.status}, {store.file_counts.completed} of {store.file_counts.total} files ready
        </span>
        <OnServer>
          <label class="button attach">
            Add files, or drop them here
            <input
              class="unseen"
              type="file"
              multiple
              onChange={(event) => {
                void add(event.currentTarget.files ?? undefined);
              }}
            />
          </label>
        </OnServer>
        <Call label="Delete" call={{ method: "DELETE", path }} done={reload} />
      </p>
      {problem.value !== undefined && <Problem>{problem.value}</Problem>}
      <ul>
        {(contents.data ?? []).map((file) => (
          <li key={file.id}>
            <InStore file={file} store={store.id} name={nameOf(file.id, files)} />
          </li>
        ))}
      </ul>
      <OnServer>
        <Search store={store.id} />
      </OnServer>
    </section>
  );
}

function nameOf(id: string, files: StoredFile[]): string {
  return files.find((file) => file.id === id)?.filename ?? id;
}

function InStore({ file, store, name }: { file: StoreFile; store: string; name: string }) {
  const { api } = session.value;
  const isOpen = useSignal(false);
  const text = useLoaded(async () => {
    if (!isOpen.value) return undefined;
    const path = `vector_stores/${store}/files/${file.id}`;
    const [content, chunks] = await Promise.all([
      api.get<List<{ text?: string }>>(`v1/${path}/content`),
      isReport ? undefined : api.get<List<Chunk>>(`_rehearsal/${path}/chunks`),
    ]);
    const text = content.data.map((part) => part.text ?? "").join("\n");
    return { text, chunks: chunks?.data ?? [] };
  }, [api, store, file.id, isOpen.value]);
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>
        <bdi>{name}</bdi> <span class="hint">{file.status}</span>
      </summary>
      {file.last_error !== null && <Problem>{file.last_error.message}</Problem>}
      {Object.entries(file.attributes ?? {}).map(([key, value]) => (
        <p key={key}>
          <bdi>{key}</bdi>: <bdi>{String(value)}</bdi>
        </p>
      ))}
      {text.problem !== undefined && <Problem>{text.problem}</Problem>}
      {text.data !== undefined && (
        <>
          <Box text={text.data.text} label={`Text of ${name}`} />
          <p class="hint">{text.data.chunks.length} chunks</p>
          {text.data.chunks.map((chunk) => (
            <details key={chunk.start}>
              <summary>from byte {chunk.start}</summary>
              <Box text={chunk.text} label={`Chunk from byte ${chunk.start}`} />
            </details>
          ))}
        </>
      )}
    </details>
  );
}

function Search({ store }: { store: string }) {
  const { api } = session.value;
  const query = useSignal("");
  const hits = useSignal<readonly SearchHit[] | undefined>(undefined);
  const path = `v1/vector_stores/${store}/search`;
  const search = async () => {
    const found = await api.post<List<SearchHit>>(path, { query: query.value });
    hits.value = found.data;
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      <p class="buttons">
        <TextField label="Search" value={query} isShort />
        <Action act={search} isDisabled={query.value === ""}>
          Try it
        </Action>
        <CopyAs call={{ method: "POST", path, body: { query: query.value } }} />
      </p>
      {hits.value?.length === 0 && <p class="hint">Nothing found.</p>}
      <ol>
        {(hits.value ?? []).map((hit, place) => (
          <li key={place}>
            <p class="line">
              <bdi>{hit.filename}</bdi>
              <meter min={0} max={1} value={hit.score} aria-label="Score" />
              <span>{hit.score.toFixed(2)}</span>
            </p>
            {hit.content.map((part, nth) => (
              <p class="plain" key={nth}>
                {highlighted(part.text, query.value)}
              </p>
            ))}
          </li>
        ))}
      </ol>
    </form>
  );
}

/** The text, with marks on the words of the query. */
function highlighted(text: string, query: string) {
  const words = new Set(query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  return text
    .split(/([\p{L}\p{N}]+)/u)
    .map((part, place) => (words.has(part.toLowerCase()) ? <mark key={place}>{part}</mark> : part));
}
