/**
 * The current state of a thread: its messages from the newest back to the oldest loaded one, with
 * their runs and steps. Changes come as events. The page is drawn at most once per frame, even
 * after many events.
 */
import { computed, signal } from "@preact/signals";
import { type Api, ApiError, reasonOf } from "./api";
import { type MessageDelta, mergeMessage, mergeStep, type StepDelta } from "./merge";
import type { SseEvent } from "./sse";
import { timeline } from "./timeline";
import type { List, Message, Run, RunSummary, Step, Thread } from "./types";

const PAGE = 100;
/** The maximum number of parallel requests. */
const PARALLEL = 6;
const CONTENT = "include[]=step_details.tool_calls[*].file_search.results[*].content";

export class ThreadModel {
  readonly thread = signal<Thread | undefined>(undefined);
  readonly isGone = signal(false);
  readonly problem = signal<string | undefined>(undefined);
  /** Changes when one of the fields below changes. */
  readonly #version = signal(0);
  /** All of them are oldest first. */
  #messages = new Map<string, Message>();
  #runs = new Map<string, Run>();
  readonly #steps = new Map<string, Map<string, Step>>();
  readonly #summaries = new Map<string, RunSummary>();
  /** The current read. The next read waits for it. */
  #reading: Promise<void> | undefined;
  #hasOlder = false;
  #hasOlderRuns = true;
  /** Whether the maps are being replaced. The page is not drawn during this time. */
  #isReplacing = false;
  readonly #stop = new AbortController();
  readonly #path: string;
  #isDrawing = false;
  #asked = 0;
  #answered = 0;

  readonly items = computed(() => {
    this.#version.value;
    return timeline(
      [...this.#messages.values()],
      [...this.#runs.values()],
      (run) => this.stepsOf(run),
      (run) => this.#summaries.get(run)?.message ?? undefined,
    );
  });
  /** The run that holds the thread, if any. */
  readonly newestRun = computed(() => {
    this.#version.value;
    return [...this.#runs.values()].at(-1);
  });

  constructor(
    readonly api: Api,
    readonly id: string,
  ) {
    this.#path = `v1/threads/${encodeURIComponent(id)}`;
  }

  /** Whether there are older messages that were not read yet. */
  readonly hasOlder = computed(() => {
    this.#version.value;
    return this.#hasOlder;
  });

  stepsOf(run: string): readonly Step[] {
    return [...(this.#steps.get(run)?.values() ?? [])];
  }

  summaryOf(run: string): RunSummary | undefined {
    this.#version.value;
    return this.#summaries.get(run);
  }

  /** The user's message that the run answers. */
  askedBy(run: Run): string | undefined {
    const items = this.items.peek();
    const end = items.findIndex((item) => item.kind === "run" && item.run.id === run.id);
    const asked = items
      .slice(0, Math.max(end, 0))
      .findLast((item) => item.kind === "message" && item.message.role === "user");
    return asked?.kind === "message"
      ? asked.message.content.flatMap((part) => part.text?.value ?? []).join("\n")
      : undefined;
  }

  /** The number of the run in the thread, as far as all runs were read. */
  turnOf(run: Run): number {
    return [...this.#runs.keys()].indexOf(run.id) + 1;
  }

  metadata(): Record<string, string> {
    return this.thread.peek()?.metadata ?? {};
  }

  /** Reads the newest page and replaces the current data. */
  async load(): Promise<void> {
    await this.#alone(async () => {
      try {
        this.thread.value = await this.api.get<Thread>(this.#path);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) this.#forget();
        throw error;
      }
      this.isGone.value = false;
      // The old data stay visible until the new page is complete.
      const shown = { messages: this.#messages, runs: this.#runs };
      this.#messages = new Map();
      this.#runs = new Map();
      this.#hasOlderRuns = true;
      this.#isReplacing = true;
      try {
        await this.#readOlder();
      } catch (error) {
        this.#messages = shown.messages;
        this.#runs = shown.runs;
        throw error;
      } finally {
        this.#isReplacing = false;
      }
    });
  }

  /** Reads the page before the oldest loaded message. */
  async loadOlder(): Promise<void> {
    if (this.#reading === undefined) await this.#alone(() => this.#readOlder());
  }

  #forget(): void {
    this.#messages = new Map();
    this.#runs = new Map();
    this.#steps.clear();
  }

  /** Stops all reads, because another thread is shown. */
  stop(): void {
    this.#stop.abort();
  }

  async #alone(read: () => Promise<void>): Promise<void> {
    const next = (this.#reading ?? Promise.resolve()).then(read).then(
      () => {
        this.problem.value = undefined;
      },
      (error: unknown) => {
        this.problem.value = reasonOf(error);
      },
    );
    this.#reading = next;
    await next;
    if (this.#reading === next) this.#reading = undefined;
    this.#draw();
  }

  async #readOlder(): Promise<void> {
    const [oldest] = this.#messages.keys();
    const page = await this.#page<Message>(`${this.#path}/messages?`, oldest);
    this.#messages = before(page.data, this.#messages);
    this.#hasOlder = page.has_more;
    await this.#loadRuns();
  }

  /** Reads the runs of the loaded messages, with their steps. */
  async #loadRuns(): Promise<void> {
    const found: Run[] = [];
    while (this.#hasOlderRuns) {
      const [message] = this.#messages.values();
      const [oldest] = this.#runs.values();
      const isEnough = oldest && message && oldest.created_at < message.created_at;
      if (isEnough && this.#hasOlder) break;
      const [page] = await Promise.all([
        this.#page<Run>(`${this.#path}/runs?`, oldest?.id),
        this.#loadSummaries(PAGE, oldest?.id),
      ]);
      this.#runs = before(page.data, this.#runs);
      this.#hasOlderRuns = page.has_more;
      found.push(...page.data);
    }
    await inParallel(found, async (run) => {
      if (!this.#stop.signal.aborted) await this.#loadSteps(run.id);
    });
  }

  async #loadSummaries(limit: number, after?: string): Promise<void> {
    const path = `_rehearsal/runs?thread=${encodeURIComponent(this.id)}&`;
    this.#asked += 1;
    const mine = this.#asked;
    const page = await this.#page<RunSummary>(path, after, limit);
    // Of the answers about the newest runs, only the latest counts.
    if (after === undefined && mine < this.#answered) return;
    if (after === undefined) this.#answered = mine;
    for (const summary of page.data) this.#summaries.set(summary.run, summary);
    this.#draw();
  }

  async #loadSteps(run: string): Promise<void> {
    const path = `${this.#path}/runs/${run}/steps?order=asc&${CONTENT}`;
    const steps = await this.api.all<Step>(path);
    // Data from events are newer: other steps, and the ends of these.
    const known = this.#steps.get(run) ?? new Map<string, Step>();
    const read = new Map(steps.map((step) => [step.id, step]));
    for (const [id, step] of known) {
      const answer = read.get(id);
      const isNewer =
        answer === undefined || (answer.status === "in_progress" && step.status !== answer.status);
      if (isNewer) read.set(id, step);
    }
    this.#steps.set(run, read);
    this.#draw();
  }

  async #page<T>(path: string, after: string | undefined, limit = PAGE): Promise<List<T>> {
    const cursor = after === undefined ? "" : `&after=${after}`;
    return await this.api.get(`${path}order=desc&limit=${limit}${cursor}`);
  }

  /** Draws the changes, once per frame. */
  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      if (!this.#isReplacing) this.#version.value += 1;
    });
  }

  /** Takes an event of the session. */
  take({ name, data }: SseEvent): void {
    if (!name.startsWith("thread.")) return;
    const object = JSON.parse(data) as { id: string; thread_id?: string };
    if (name === "thread.created" || name === "thread.deleted") {
      if (object.id !== this.id) return;
      if (name === "thread.deleted") this.isGone.value = true;
      else void this.load();
    } else if (name.endsWith(".delta")) {
      this.#takeDelta(name, object);
    } else if (name === "thread.message.deleted") {
      if (this.#messages.delete(object.id)) this.#draw();
    } else if (object.thread_id === this.id) {
      this.#takeObject(name, object);
      this.#draw();
    }
  }

  #takeObject(name: string, object: { id: string }): void {
    if (name.startsWith("thread.message.")) {
      this.#messages.set(object.id, object as Message);
    } else if (name.startsWith("thread.run.step.")) {
      this.#takeStep(object as Step);
    } else if (name.startsWith("thread.run.")) {
      this.#runs.set(object.id, object as Run);
      // This also reads the reply of the run, and its progress.
      this.#loadSummaries(20).catch(() => {});
    }
  }

  #takeStep(step: Step): void {
    const steps = this.#steps.get(step.run_id) ?? new Map<string, Step>();
    this.#steps.set(step.run_id, steps.set(step.id, step));
    // The event of a search does not contain the passages.
    const isSearch = step.step_details.tool_calls?.some((call) => call.file_search !== undefined);
    if (isSearch && step.status !== "in_progress") this.#loadSteps(step.run_id).catch(() => {});
  }

  #takeDelta(name: string, object: { id: string }): void {
    if (name === "thread.message.delta") {
      const message = this.#messages.get(object.id);
      if (message === undefined) return;
      this.#messages.set(object.id, mergeMessage(message, object as MessageDelta));
    } else {
      for (const steps of this.#steps.values()) {
        const step = steps.get(object.id);
        if (step !== undefined) steps.set(object.id, mergeStep(step, object as StepDelta));
      }
    }
    this.#draw();
  }
}

/** Puts a page, which is newest first, before the newer objects. */
function before<T extends { id: string }>(page: readonly T[], newer: Map<string, T>) {
  return new Map([...[...page].reverse().map((it) => [it.id, it] as const), ...newer]);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
