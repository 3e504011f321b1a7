/** The objects of the API and of the control API, as far as the page shows them. */

export interface List<T> {
  data: T[];
  has_more: boolean;
  last_id?: string | null;
}

export interface Assistant {
  id: string;
  name: string | null;
  model: string;
  instructions: string | null;
  tools: Tool[];
  tool_resources?: ToolResources;
}

export interface Tool {
  type: string;
  function?: { name: string; description?: string; parameters?: unknown };
}

export interface ToolResources {
  file_search?: { vector_store_ids?: string[] };
}

export interface Thread {
  id: string;
  tool_resources?: ToolResources;
}

export interface Annotation {
  index?: number;
  type: "file_citation" | "file_path";
  text: string;
  file_citation?: { file_id: string };
  file_path?: { file_id: string };
}

export interface Content {
  type: string;
  text?: { value: string; annotations: Annotation[] };
  refusal?: string;
  image_file?: { file_id: string };
  image_url?: { url: string };
}

export interface Message {
  id: string;
  created_at: number;
  thread_id: string;
  role: "user" | "assistant";
  assistant_id: string | null;
  run_id: string | null;
  content: Content[];
  attachments?: { file_id: string }[] | null;
  status?: string;
}

export interface FunctionCall {
  id: string;
  function: { name: string; arguments: string };
}

export type RunStatus =
  | "queued"
  | "in_progress"
  | "requires_action"
  | "cancelling"
  | "cancelled"
  | "failed"
  | "completed"
  | "incomplete"
  | "expired";

export interface Run {
  id: string;
  thread_id: string;
  assistant_id: string;
  created_at: number;
  expires_at: number | null;
  status: RunStatus;
  required_action: { submit_tool_outputs: { tool_calls: FunctionCall[] } } | null;
  last_error: { code: string; message: string } | null;
  incomplete_details: { reason: string } | null;
  model: string;
  tools: Tool[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
}

export interface Hit {
  file_id: string;
  file_name: string;
  score: number;
  content?: { type: string; text?: string }[];
}

export interface CodeOutput {
  type: string;
  logs?: string;
  image?: { file_id: string };
}

export interface ToolCall {
  id: string;
  index?: number;
  type: string;
  function?: { name: string; arguments: string; output: string | null };
  code_interpreter?: { input: string; outputs: CodeOutput[] };
  file_search?: { ranking_options?: unknown; results?: Hit[] };
}

export interface Step {
  id: string;
  run_id: string;
  thread_id: string;
  created_at: number;
  type: "message_creation" | "tool_calls";
  status: string;
  step_details: {
    type: string;
    message_creation?: { message_id: string };
    tool_calls?: ToolCall[];
  };
}

export interface RunSummary {
  run: string;
  thread: string;
  created_at: number;
  status: RunStatus;
  walk: RunStatus[];
  assistant: { id: string; name: string | null };
  message: string | null;
  reply: { name: string | null; file: string; line: number } | null;
  unmatched: boolean;
}

export interface LoadedReply {
  name: string | null;
  file: string;
  line: number;
  times: number | null;
  hits: number;
  added: boolean;
  outputs: string[];
}

export interface NearMiss {
  reply: string | null;
  file: string;
  line: number;
  used_up: boolean;
  misses: { condition: string; expected: string; got: string; hint: string | null }[];
}

export interface Unmatched {
  run: string;
  message: string | null;
  nearest: NearMiss[];
  stub: string;
}

export interface StoredFile {
  id: string;
  filename: string;
  bytes: number;
  purpose: string;
}

const ENDED: ReadonlySet<RunStatus> = new Set([
  "cancelled",
  "failed",
  "completed",
  "incomplete",
  "expired",
]);

export function hasEnded(status: RunStatus): boolean {
  return ENDED.has(status);
}
