/**
 * Runs that this page starts. It streams them like a client, to see how the stream ends. The other
 * events come from the session.
 */
import type { EventLog } from "./event_log";
import type { SessionModel } from "./session";
import { eventsOf } from "./sse";

/** The maximum number of open streams: a browser has few connections to one host. */
const STREAMS = 2;
let open = 0;

/** Starts a run. The promise resolves when the run has begun. */
export async function startRun(
  session: SessionModel,
  thread: string,
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<void> {
  await follow(session, `v1/threads/${thread}/runs`, params, headers);
}

export async function submitOutputs(
  session: SessionModel,
  thread: string,
  run: string,
  outputs: { tool_call_id: string; output: string }[],
): Promise<void> {
  const path = `v1/threads/${thread}/runs/${run}/submit_tool_outputs`;
  await follow(session, path, { tool_outputs: outputs }, {});
}

async function follow(
  { api, log, isHeld }: SessionModel,
  path: string,
  body: Record<string, unknown>,
  headers: Record<string, string>,
): Promise<void> {
  // A stream advances by itself, so a held run must not be streamed.
  const stream = open < STREAMS && !isHeld.peek();
  const response = await api.stream(path, stream ? { ...body, stream } : body, headers);
  // A broken stream is a result for the user, not an error of the page.
  if (stream) void read(response, log).catch(() => {});
}

async function read(response: Response, log: EventLog): Promise<void> {
  open += 1;
  try {
    let run: string | undefined;
    for await (const event of eventsOf(response)) {
      run = log.runOf(event) ?? run;
      if (run !== undefined && ["done", "error"].includes(event.name)) log.end(run, event);
    }
  } finally {
    open -= 1;
  }
}
