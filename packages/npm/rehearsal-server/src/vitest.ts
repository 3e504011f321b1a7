/** The fixture `rehearsal` for vitest: each test gets its own session. */
import { inject, test as base } from "vitest";
import { API_KEY, Session, type UnmatchedRun } from "./session.js";

declare module "vitest" {
  export interface ProvidedContext {
    rehearsalUrl: string;
  }
}

/** Directs clients without their own settings to the session. */
function point(session: Session): () => void {
  const variables: Record<string, string> = {
    OPENAI_BASE_URL: session.baseURL,
    OPENAI_API_KEY: API_KEY,
    AZURE_OPENAI_ENDPOINT: session.url,
    AZURE_OPENAI_API_KEY: API_KEY,
    OPENAI_API_VERSION: "2024-05-01-preview",
    REHEARSAL_URL: session.url,
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
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

/** The fixture, for your own `test.extend({ rehearsal })`. */
export async function rehearsal(
  { task }: { task: { id: string } },
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const url = inject("rehearsalUrl") as string | undefined;
  if (url === undefined) {
    throw new Error(
      'there is no server: set globalSetup: "rehearsal-server/vitest/setup" in the configuration',
    );
  }
  const session = new Session(`${url}/s/vitest${task.id.replaceAll(/[^\w.-]/g, "_")}`);
  // A retry of a test starts with a new session.
  await session.send("POST", "/reset?fixtures=true", {});
  const restore = point(session);
  try {
    await use(session);
  } finally {
    restore();
  }
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
