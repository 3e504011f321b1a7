/** The objects of the API and of the control API, with the fields that the page shows. */

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
  metadata?: Record<string, string> | null;
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
  instructions: string | null;
  metadata: Record<string, string> | null;
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

export interface LoadedFault {
  name: string | null;
  file: string;
  line: number;
  times: number | null;
  hits: number;
  added: boolean;
  document: number | null;
}

export interface LoadedReply extends LoadedFault {
  outputs: string[];
}

export interface Miss {
  condition: string;
  expected: string;
  got: string;
  hint: string | null;
}

export interface NearMiss {
  reply: string | null;
  file: string;
  line: number;
  used_up: boolean;
  misses: Miss[];
}

export interface JudgedReply extends NearMiss {
  matches: boolean;
  held: Miss[];
}

export interface Match {
  reply: { name: string | null; file: string; line: number } | null;
  data: JudgedReply[];
}

export interface JournalEntry {
  id: string;
  created_at: number;
  duration_ms: number;
  method: string;
  path: string;
  query: string | null;
  status: number | null;
  request_body: unknown;
  response_body: unknown;
  run: string | null;
  reply: string | null;
  fault: string | null;
}

export interface ClockView {
  now: string;
  timestamp: number;
  frozen: boolean;
}

export interface Snapshot {
  name: string;
  created_at: number;
}

export interface SessionSummary {
  name: string;
  counts: Record<string, number>;
  requests: number;
  unmatched: number;
}

export interface ThreadSummary {
  id: string;
  created_at: number;
  metadata: Record<string, string>;
  messages: number;
  runs: number;
  message: string | null;
}

export interface Turn {
  id: string;
  api: string;
  run: string;
  thread: string | null;
  number: number;
  asked: {
    assistant: { id: string; name: string | null } | null;
    messages: { role: string; content: string }[];
    [key: string]: unknown;
  };
  answered: { reply: string | null; status: RunStatus; text: string; [key: string]: unknown };
}

export interface ResponseItem {
  id: string;
  type: string;
  role?: string;
  content?: { type: string; text?: string; refusal?: string }[];
  name?: string;
  arguments?: string;
  output?: unknown;
}

export interface ResponseObject {
  id: string;
  output: ResponseItem[];
  previous_response_id: string | null;
}

export interface VectorStore {
  id: string;
  name: string | null;
  status: string;
  file_counts: { total: number; completed: number; failed: number; in_progress: number };
}

export interface StoreFile {
  id: string;
  status: string;
  last_error: { code: string; message: string } | null;
  attributes: Record<string, string | number | boolean> | null;
}

export interface SearchHit {
  file_id: string;
  filename: string;
  score: number;
  attributes: Record<string, unknown> | null;
  content: { type: string; text: string }[];
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

export interface Chunk {
  start: number;
  text: string;
}
