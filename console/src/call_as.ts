/** A request as text: for a shell, and for the official clients in Python and Node. */

export interface ApiCall {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Relative to the session: `v1/threads`, `_rehearsal/clock`. */
  path: string;
  body?: unknown;
  /** A body that is not JSON. */
  text?: { type: string; content: string };
}

export type Language = "curl" | "Python" | "Node";

/** The text to copy. */
export function callAs(
  language: Language,
  call: ApiCall,
  base: string,
  baseURL: string,
  key = "anything",
): string {
  const url = base + call.path;
  // Paths relative to the base URL of the client are shorter than full addresses.
  const path = call.path.startsWith("v1/") ? call.path.slice(2) : url;
  const method = call.method.toLowerCase();
  if (language === "curl") return asCurl(call, url, key);
  if (language === "Python") {
    const body = call.body === undefined ? "" : `, body=${asPython(call.body)}`;
    const content = call.text === undefined ? "" : pythonText(call.text);
    return `from openai import OpenAI
client = OpenAI(base_url=${JSON.stringify(baseURL)}, api_key="${key}", default_headers={"OpenAI-Beta": "assistants=v2"})
print(client.${method}(${JSON.stringify(path)}, cast_to=object${body}${content}))`;
  }
  const body = call.body === undefined ? "" : `, { body: ${JSON.stringify(call.body, null, 2)} }`;
  const content = call.text === undefined ? "" : nodeText(call.text);
  return `import OpenAI from "openai";
const client = new OpenAI({ baseURL: ${JSON.stringify(baseURL)}, apiKey: "${key}", defaultHeaders: { "OpenAI-Beta": "assistants=v2" } });
console.log(await client.${method}(${JSON.stringify(path)}${body}${content}));`;
}

function asCurl({ method, body, text }: ApiCall, url: string, key: string): string {
  const content = text?.content ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = text?.type ?? "application/json";
  const data =
    content === undefined
      ? ""
      : ` \\\n  -H "Content-Type: ${type}" --data-binary ${quoted(content)}`;
  return `curl -X ${method} ${quoted(url)} \\
  -H "Authorization: Bearer ${key}" -H "OpenAI-Beta: assistants=v2"${data}`;
}

/** A word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function pythonText({ type, content }: { type: string; content: string }): string {
  return `, content=${JSON.stringify(content)}, options={"headers": {"Content-Type": "${type}"}}`;
}

function nodeText({ type, content }: { type: string; content: string }): string {
  const body = JSON.stringify(content);
  return `, { body: new Blob([${body}]), headers: { "Content-Type": "${type}" } }`;
}

/** JSON in the syntax of Python. */
function asPython(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(asPython).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}: ${asPython(inner)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
