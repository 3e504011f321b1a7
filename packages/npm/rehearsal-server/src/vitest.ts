/**
 * The fixture `rehearsal` for vitest: each test gets an empty session.
 *
 * The tests of a worker run one after the other and use one session, which is reset before each
 * test. So a client that a module creates once works in all of them, if the test file imports this
 * module before that one. Concurrent tests have sessions of their own.
 */
import { threadId } from "node:worker_threads";
import { inject, test as base } from "vitest";
import { API_KEY, Session, type UnmatchedRun } from "./session.js";

declare module "vitest" {
  export interface ProvidedContext {
    rehearsalUrl: string;
  }
}

/** The session for the tests of this worker, unless no server was started. */
const ofWorker = sessionCalled(`vitest-worker-${String(process.pid)}-${String(threadId)}`);
if (ofWorker !== undefined) point(ofWorker);

function sessionCalled(name: string): Session | undefined {
  const url = inject("rehearsalUrl") as string | undefined;
  return url === undefined ? undefined : new Session(`${url}/s/${name}`);
}

/** Directs clients without their own settings to the session. */
function point(session: Session): void {
  Object.assign(process.env, {
    OPENAI_BASE_URL: session.baseURL,
    OPENAI_API_KEY: API_KEY,
    AZURE_OPENAI_ENDPOINT: session.url,
    AZURE_OPENAI_API_KEY: API_KEY,
    OPENAI_API_VERSION: "2024-05-01-preview",
    REHEARSAL_URL: session.url,
  });
}

/** The runs that no reply matched, with the nearest replies. */
function explain(runs: UnmatchedRun[]): string {
  return runs.flatMap(explainOne).join("\n");
}

function explainOne(run: UnmatchedRun): string[] {
  const near = run.nearest.map(({ reply, file, line, used_up, misses }) => {
    const place = `${file}:${String(line)}`;
    const why = misses.map(
      ({ condition, expected, got, hint }) =>
        `${condition}: expected ${expected}, got ${got}${hint === null ? "" : ` (${hint})`}`,
    );
    const title = reply === null ? place : `${reply} (${place})`;
    return `  nearest is ${title}: ${used_up ? "used up" : why.join("; ")}`;
  });
  const title = `no reply matches the run ${run.run} (message: ${JSON.stringify(run.message)})`;
  return [title, ...near, "  to answer it, add:", run.stub.replaceAll(/^(?=.)/gm, "    ")];
}

/** A test or the suite around it. */
interface TestTask {
  id: string;
  concurrent?: boolean | undefined;
  suite?: TestTask | undefined;
}

/** Whether other tests of this process may run at the same time. */
function isConcurrent(task: TestTask): boolean {
  return task.concurrent === true || (task.suite !== undefined && isConcurrent(task.suite));
}

/** The fixture, for your own `test.extend({ rehearsal })`. */
export async function rehearsal(
  { task }: { task: TestTask },
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const session =
    isConcurrent(task)
      ? sessionCalled(`vitest${task.id.replaceAll(/[^\w.-]/g, "_")}`)
      : ofWorker;
  if (session === undefined) {
    throw new Error(
      'there is no server: set globalSetup: "rehearsal-server/vitest/setup" in the configuration',
    );
  }
  await session.send("POST", "/reset?fixtures=true", {});
  point(session);
  await use(session);
  const runs = await session.unmatched();
  const failed = (await session.turns()).some(
    (turn) => turn.answered.status === "failed" && turn.answered.reply === null,
  );
  if (runs.length > 0 && failed) throw new Error(explain(runs));
}

/** vitest's `test` with the fixture. */
export const test = base.extend<{ rehearsal: Session }>({ rehearsal });
/** The same as `test`, under another name. */
export const it = test;
export type { Session as Rehearsal } from "./session.js";
export { expect } from "vitest";
