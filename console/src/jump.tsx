/** Accepts any id, and opens the thread of its object. */
import { useSignal } from "@preact/signals";
import { reasonOf } from "./api";
import { go, session } from "./state";
import type { List, ThreadSummary } from "./types";

export function Jump() {
  const id = useSignal("");
  const problem = useSignal("");
  const jump = async (event: Event) => {
    event.preventDefault();
    const wanted = id.value.trim();
    problem.value = "";
    if (wanted === "") return;
    try {
      if (await goTo(wanted)) id.value = "";
      else problem.value = "There is no such id.";
    } catch (error) {
      problem.value = reasonOf(error);
    }
  };
  return (
    <form class="jump" onSubmit={jump} role="search">
      <input
        type="search"
        aria-label="Go to an id"
        placeholder="Go to an id …"
        value={id.value}
        onInput={(event) => {
          id.value = event.currentTarget.value;
          problem.value = "";
        }}
      />
      <span class="problem" role="status" hidden={problem.value === ""}>
        {problem.value}
      </span>
    </form>
  );
}

async function goTo(id: string): Promise<boolean> {
  if (id.startsWith("asst_")) {
    go({ page: "assistants" });
    return true;
  }
  if (id.startsWith("vs_") || id.startsWith("file-")) {
    go({ page: "files" });
    return true;
  }
  const path = `_rehearsal/threads?limit=1&id=${encodeURIComponent(id)}`;
  const { data } = await session.peek().api.get<List<ThreadSummary>>(path);
  const [found] = data;
  if (found === undefined) return false;
  go({ page: "thread", thread: found.id });
  return true;
}
