/** Streams that this page starts. Their events go into the log; the thread hears of them anyway. */
import { ApiError } from "./api";
import { eventsOf } from "./sse";
import { session } from "./state";

/** Starts a run, and answers when it has begun. */
export async function startRun(
  thread: string,
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<void> {
  await follow(`v1/threads/${thread}/runs`, params, headers);
}

export async function submitOutputs(
  thread: string,
  run: string,
  outputs: { tool_call_id: string; output: string }[],
): Promise<void> {
  const path = `v1/threads/${thread}/runs/${run}/submit_tool_outputs`;
  await follow(path, { tool_outputs: outputs }, {}, run);
}

async function follow(
  path: string,
  body: Record<string, unknown>,
  headers: Record<string, string>,
  of?: string,
): Promise<void> {
  const { api, log } = session.peek();
  const response = await api.stream(path, { ...body, stream: true }, headers);
  const read = async () => {
    let run = of;
    for await (const event of eventsOf(response)) {
      run = log.take(event, true, run) ?? run;
      if (event.name === "error") throw new ApiError(200, event.data);
    }
  };
  // A stream that breaks off is a thing to look at, not a failure of the page.
  void read().catch(() => {});
}
