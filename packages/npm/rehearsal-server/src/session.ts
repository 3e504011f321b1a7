/** A session on the server. Other sessions cannot see its objects. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type OpenAI from "openai";
import type { ClientOptions } from "openai";

/** The server accepts any key. */
export const API_KEY = "sk-rehearsal-node";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = Record<string, Json>;

/** A text that must be equal, or conditions that must all hold. */
export type TextMatcher =
  | string
  | {
      equals?: string;
      contains?: string;
      matches?: string;
      any?: TextMatcher[];
      not?: TextMatcher;
    };

export type Times = number | { at_least?: number; at_most?: number };

/** An expectation of a test. docs/testing.md describes each kind. */
export type Expectation =
  | { reply: string; times?: Times }
  | {
      turn: {
        message?: TextMatcher;
        instructions?: TextMatcher;
        model?: TextMatcher;
        assistant?: TextMatcher;
        tools?: string[];
        tool_outputs?: Record<string, TextMatcher>;
      };
      times?: Times;
    }
  | { request: { method?: string; path?: string; status?: number; body?: Json }; times?: Times }
  | { unmatched: Times }
  | { order: string[] };

/** One model turn: the settings in force, and the answer. */
export interface Turn {
  object: "turn";
  id: string;
  api: string;
  run: string;
  thread: string | null;
  number: number;
  asked: {
    assistant: { id: string; name: string | null } | null;
    model: string;
    instructions: string | null;
    messages: { role: "user" | "assistant"; content: string }[];
    tools: JsonObject[];
    tool_choice: Json;
    response_format: Json;
    temperature: number;
    top_p: number;
    max_output_tokens: number | null;
    truncation: Json;
    vector_stores: string[];
    files: string[];
    tool_outputs: { id: string; name: string; output: string }[];
  };
  answered: {
    reply: string | null;
    status: string;
    text: string;
    tool_calls: { id: string; name: string; arguments: string }[];
    citations: { file_id: string; filename: string | null; text: string }[];
    usage: { input_tokens: number; output_tokens: number; total_tokens: number } | null;
  };
}

/** A run that no reply matched. */
export interface UnmatchedRun {
  object: "unmatched";
  run: string;
  thread: string;
  created_at: number;
  message: string | null;
  nearest: {
    reply: string | null;
    file: string;
    line: number;
    used_up: boolean;
    misses: { condition: string; expected: string; got: string; hint: string | null }[];
  }[];
  stub: string;
}

/** Further settings of a reply: its name, its number of uses, its outcome, and its conditions. */
export interface ReplyOptions {
  message?: TextMatcher;
  name?: string;
  times?: number;
  outcome?: Json;
  [condition: string]: unknown;
}

interface Verdict {
  results: { passed: boolean; difference?: string }[];
}

/** The clock of a session: all times and expiries come from it. */
export class Clock {
  readonly #send: Session["send"];

  constructor(send: Session["send"]) {
    this.#send = send;
  }

  /** The time, in RFC 3339. */
  async now(): Promise<string> {
    return ((await this.#send("GET", "/clock")) as { now: string }).now;
  }

  /**
   * Advances the clock, for example by "10m". Everything due in this time happens before it
   * resolves.
   */
  async advance(by: string): Promise<void> {
    await this.#send("POST", "/clock", { advance: by });
  }

  /** Stops the clock at a time in RFC 3339. */
  async freeze(at: string): Promise<void> {
    await this.#send("POST", "/clock", { freeze: at });
  }

  /** Starts the clock again. */
  async resume(): Promise<void> {
    await this.#send("POST", "/clock", { resume: true });
  }
}

export class Session {
  readonly url: string;
  readonly baseURL: string;
  readonly clock: Clock;

  constructor(url: string) {
    this.url = url;
    this.baseURL = `${url}/v1`;
    this.clock = new Clock(this.send.bind(this));
  }

  /** Returns the official client for this session. The package `openai` must be installed. */
  client(options: ClientOptions = {}): OpenAI {
    const required = createRequire(join(process.cwd(), "index.js"));
    const { OpenAI: Client } = required("openai") as { OpenAI: typeof OpenAI };
    return new Client({ baseURL: this.baseURL, apiKey: API_KEY, ...options });
  }

  /**
   * Adds fixtures: a file, a folder, a document, or its text in YAML. They come before earlier
   * ones. They must contain the content of their files, as `text` or `base64`.
   */
  async fixtures(fixtures: string | object): Promise<void> {
    // The newest document has priority, and the first file of a folder must have the highest
    // priority.
    for (const document of documents(fixtures).reverse()) {
      await this.send("POST", "/fixtures", document);
    }
  }

  /** Adds one reply before all others: a text, a step or several steps. */
  async reply(textOrSteps: string | object | object[] = [], options: ReplyOptions = {}): Promise<void> {
    const { name, times, outcome, ...when } = options;
    const steps =
      typeof textOrSteps === "string"
        ? [{ message: textOrSteps }]
        : Array.isArray(textOrSteps)
          ? textOrSteps
          : [textOrSteps];
    const conditions = Object.keys(when).length > 0 ? when : undefined;
    await this.fixtures({ replies: [{ name, when: conditions, times, outcome, steps }] });
  }

  /** The turns of the model: its inputs and its answers. */
  async turns(): Promise<Turn[]> {
    return (await this.#data("/turns")) as Turn[];
  }

  /** The requests to the API and their responses. */
  async requests(): Promise<JsonObject[]> {
    return (await this.#data("/requests")) as JsonObject[];
  }

  /** The runs that no reply matched, with the nearest replies. */
  async unmatched(): Promise<UnmatchedRun[]> {
    return (await this.#data("/unmatched")) as UnmatchedRun[];
  }

  /** Judges expectations. If one of them is not met, the error shows the difference. */
  async verify(expect: Expectation[]): Promise<void> {
    const verdict = (await this.send("POST", "/verify", { expect }, [422])) as Verdict;
    const failed = verdict.results.filter((result) => !result.passed);
    if (failed.length > 0) {
      throw new Error(failed.map((result) => result.difference).join("\n\n"));
    }
  }

  /** Removes all objects, the journal and the counts. Added fixtures stay. */
  async reset(): Promise<void> {
    await this.send("POST", "/reset", {});
  }

  async #data(path: string): Promise<unknown> {
    return ((await this.send("GET", path)) as { data: unknown }).data;
  }

  /** Calls the control API. A string is sent as YAML. */
  async send(method: string, path: string, body?: unknown, taken: number[] = []): Promise<unknown> {
    const isText = typeof body === "string";
    const answer = await fetch(`${this.url}/_rehearsal${path}`, {
      method,
      headers: { "content-type": isText ? "application/yaml" : "application/json" },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    const read: unknown = await answer.json();
    if (!answer.ok && !taken.includes(answer.status)) {
      const { error } = read as { error?: { message?: string } };
      throw new Error(error?.message ?? `answered ${String(answer.status)}`);
    }
    return read;
  }
}

const SUFFIXES = [".yaml", ".yml", ".json"];

/** The documents of a folder or of a file, or the document itself. */
function documents(fixtures: string | object): (string | object)[] {
  if (typeof fixtures !== "string") return [fixtures];
  // A YAML text has a colon before a space or a line end.
  if (fixtures.includes("\n") || fixtures.includes(": ")) return [fixtures];
  if (!existsSync(fixtures)) {
    throw new Error(`there are no fixtures at ${fixtures}: no such file or folder`);
  }
  const files = statSync(fixtures).isDirectory()
    ? readdirSync(fixtures, { recursive: true, encoding: "utf8" })
        .filter((file) => SUFFIXES.some((suffix) => file.endsWith(suffix)))
        .sort()
        .map((file) => join(fixtures, file))
    : [fixtures];
  return files.map((file) => readFileSync(file, "utf8"));
}
