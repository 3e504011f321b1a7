/**
 * A server for tests. It stops when this process ends in any way: the server runs a command that
 * waits for the end of its standard input, which is a pipe from this process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { findProgram } from "./program.js";
import { Session } from "./session.js";

export interface StartOptions {
  /** Fixture files and folders. */
  fixtures?: string | string[];
  /** The result of a run that no reply matches. */
  unmatched?: "fail" | "echo" | "upstream";
  /** Further arguments for the server. */
  args?: string[];
  /** Further environment variables for the server. */
  env?: Record<string, string>;
}

export interface Server {
  /** The URL of the server. */
  readonly url: string;
  /** The base URL of the session `default`. */
  readonly baseURL: string;
  /** A session. The first use creates it. A name has 1 to 64 letters, digits, '.', '_' and '-'. */
  session(name: string): Session;
  /** Stops the server. */
  stop(): Promise<void>;
}

/** Prints the URL of the server, and ends with its standard input. */
const WAIT = "console.log(process.env.REHEARSAL_URL); process.stdin.resume()";

/** Starts a server on a free port, and waits until it listens. */
export async function start(options: StartOptions = {}): Promise<Server> {
  const { fixtures = [], unmatched, args = [], env = {} } = options;
  const command = [
    ...["exec", "--log", "warn"],
    // A variable for another server must not name the port of this one.
    ...(args.some((word) => word.startsWith("--listen")) ? [] : ["--listen", "127.0.0.1:0"]),
    ...[fixtures].flat().flatMap((path) => ["--fixtures", path]),
    ...(unmatched === undefined ? [] : ["--unmatched", unmatched]),
    ...[...args, "--", process.execPath, "-e", WAIT],
  ];
  const child = spawn(findProgram(), command, {
    stdio: ["pipe", "pipe", "pipe"],
    // Ctrl-C is for the test runner, which still needs the server for its last requests.
    detached: process.platform !== "win32",
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
  const url = await firstLine(child);
  if (url === undefined) {
    throw new Error(advice(said.trim()));
  }
  // The server does not keep this process from ending.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    (stream as unknown as { unref?: () => void }).unref?.();
  }
  const server = {
    url,
    baseURL: `${url}/v1`,
    session: (name: string) => new Session(`${url}/s/${checked(name)}`),
    stop: () => stop(child),
  };
  await checkVersion(server);
  return server;
}

function checked(name: string): string {
  if (/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(name)) return name;
  throw new Error(
    `'${name}' cannot be the name of a session: use 1 to 64 letters, digits, '.', '_' and '-'`,
  );
}

/** The advice for a server that does not start. */
function advice(said: string): string {
  if (said.includes("GLIBC_")) {
    return (
      "this machine's C library is older than the program needs: install rehearsal-server with npm " +
      "on this machine, or build the program with 'cargo install rehearsal' and name it in " +
      `REHEARSAL_PROGRAM:\n${said}`
    );
  }
  return `the server does not start:\n${said}`;
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  const ended = new Promise<undefined>((resolve) => {
    child.on("close", () => {
      resolve(undefined);
    });
    child.on("error", () => {
      resolve(undefined);
    });
  });
  if (child.stdout === null) return undefined;
  const lines = createInterface({ input: child.stdout });
  const line = once(lines, "line").then(([text]: unknown[]) => String(text));
  return await Promise.race([line, ended]);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.ref();
  child.stdin?.end();
  await ended;
}

async function checkVersion(server: Server): Promise<void> {
  const manifest = createRequire(import.meta.url)("../package.json") as { version: string };
  const answer = await fetch(`${server.url}/_rehearsal/health`);
  const { version } = (await answer.json()) as { version: string };
  const line = (version: string) => version.split(".").slice(0, 2).join(".");
  if (line(version) !== line(manifest.version)) {
    await server.stop();
    throw new Error(
      `rehearsal-server ${manifest.version} does not fit the program ${version}: install the same ` +
        "version of both.",
    );
  }
}
