/**
 * Runs that this page starts. It streams them as clients do, to see how the stream ends; what is in
 * it, the events of the session tell.
 */
import type { EventLog } from "./event_log";
import type { SessionModel } from "./session";
import { eventsOf } from "./sse";

/** How many streams may be open: a browser has few connections to one host. */
const STREAMS = 2;
let open = 0;

/** Starts a run, and answers when it has begun. */
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
  // A stream goes on by itself, so a run that is to be held is none.
  const stream = open < STREAMS && !isHeld.peek();
  const response = await api.stream(path, stream ? { ...body, stream } : body, headers);
  // A stream that breaks off is a thing to look at, not a failure of the page.
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
