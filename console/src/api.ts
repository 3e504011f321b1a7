/**
 * Calls of the server in one session. Calls that only read are marked as such, and leave no trace
 * on the server.
 *
 * If the server requires a key, the page keeps it for this tab only.
 */
import { signal } from "@preact/signals";
import type { ApiCall } from "./call_as";
import { answerOf, isReport } from "./report";
import { DEFAULT_SESSION } from "./route";
import type { List, StoredFile } from "./types";

const KEY = "rehearsal-key";
/** Marks a read that leaves no trace. */
const OBSERVER = "x-rehearsal-observer";
/** A key for servers that take any. */
const ANY_KEY = "rehearsal-playground";

/** True if the server rejected the key. */
export const keyRefused = signal(false);

/** Whether this tab has its own key. */
export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

/** The placeholder for the key in texts to copy. */
export function exampleKey(): string {
  return hasKey() ? "YOUR_KEY" : "anything";
}

export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  keyRefused.value = false;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The error as text for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The call that adds a fixture document to a session. */
export function addFixture(content: string): ApiCall {
  return {
    method: "POST",
    path: "_rehearsal/fixtures",
    text: { type: "application/yaml", content },
  };
}

export class Api {
  /** The base of all paths. */
  readonly base: string;

  constructor(readonly session: string) {
    const path = session === DEFAULT_SESSION ? "" : `s/${encodeURIComponent(session)}/`;
    this.base = new URL(path, new URL(".", document.baseURI)).href;
  }

  /** The base URL for clients. */
  get baseURL(): string {
    return `${this.base}v1`;
  }

  /** Reads without a change of state. */
  async get<T>(path: string): Promise<T> {
    const response = await this.open(path);
    return (await response.json()) as T;
  }

  /** Reads a response of any type, without a change of state. */
  async open(path: string, signal?: AbortSignal): Promise<Response> {
    if (isReport) {
      const answer = answerOf(this.session, path);
      if (answer === undefined) throw new ApiError(404, "The report does not have this.");
      return answer;
    }
    return await this.#send(path, { headers: { [OBSERVER]: "1" }, signal });
  }

  /** Reads like a client: this counts as a poll. */
  async poll<T>(path: string): Promise<T> {
    return (await (await this.#send(path, {})).json()) as T;
  }

  /** A POST that only reads, and leaves no trace. */
  async ask<T>(path: string, body: unknown): Promise<T> {
    const headers = { "content-type": "application/json", [OBSERVER]: "1" };
    const response = await this.#send(path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return (await response.json()) as T;
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return (await (await this.stream(path, body)).json()) as T;
  }

  /** A POST with a response of any type. */
  async stream(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return await this.#send(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }

  /** Sends the described request. */
  async call({ method, path, body, text }: ApiCall): Promise<unknown> {
    const content = text?.content ?? (body === undefined ? undefined : JSON.stringify(body));
    const headers = { "content-type": text?.type ?? "application/json" };
    const response = await this.#send(path, {
      method,
      ...(content !== undefined && { headers, body: content }),
    });
    return (await response.json()) as unknown;
  }

  /** Adds a fixture document to the session. */
  async addFixtures(yaml: string): Promise<void> {
    await this.call(addFixture(yaml));
  }

  async upload(file: File, purpose: string): Promise<StoredFile> {
    const form = new FormData();
    form.append("purpose", purpose);
    form.append("file", file);
    const response = await this.#send("v1/files", { method: "POST", body: form });
    return (await response.json()) as StoredFile;
  }

  /** All pages of a list, up to a bound. */
  async all<T extends { id: string }>(path: string, most = 1000): Promise<T[]> {
    const found: T[] = [];
    for (let after = ""; found.length < most; ) {
      const page = await this.get<List<T>>(
        `${path}${path.includes("?") ? "&" : "?"}limit=100${after}`,
      );
      found.push(...page.data);
      const last = page.data.at(-1);
      if (!page.has_more || last === undefined) break;
      after = `&after=${encodeURIComponent(last.id)}`;
    }
    return found;
  }

  async #send(path: string, init: RequestInit & { signal?: AbortSignal | undefined }) {
    const key = sessionStorage.getItem(KEY) ?? ANY_KEY;
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${key}`);
    headers.set("openai-beta", "assistants=v2");
    const { signal, ...rest } = init;
    const response = await fetch(this.base + path, {
      ...rest,
      ...(signal === undefined ? {} : { signal }),
      headers,
    });
    if (response.ok) return response;
    // Only reads count: a fault may reject other requests.
    if (response.status === 401 && headers.has(OBSERVER)) keyRefused.value = true;
    throw new ApiError(response.status, await messageOf(response));
  }
}

async function messageOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { error?: { message?: string } };
    if (body.error?.message) return body.error.message;
  } catch {
    // The body is not JSON, for example the response of a gateway.
  }
  return text || `The server answers ${response.status}.`;
}
