/** The session of the page: its runs, its assistants, its events. */
import { signal } from "@preact/signals";
import { Api, ApiError, reasonOf } from "./api";
import { EventLog } from "./event_log";
import { forgetFiles } from "./file_names";
import { Live } from "./live";
import type { SseEvent } from "./sse";
import { ThreadModel } from "./thread";
import type { Assistant, List, RunSummary } from "./types";

const PAGE = 100;
/**
 * The time for which changes are collected before the newest runs are read again, in milliseconds.
 */
const PAUSE = 100;

export class SessionModel {
  readonly api: Api;
  readonly live: Live;
  readonly log = new EventLog();
  readonly runs = signal<readonly RunSummary[]>([]);
  readonly hasMoreRuns = signal(false);
  readonly assistants = signal<readonly Assistant[]>([]);
  /** Whether the runs were read at least once. */
  readonly isLoaded = signal(false);
  readonly problem = signal<string | undefined>(undefined);
  /** Whether the session does not exist yet, because nobody has used it. */
  readonly isUnused = signal(false);
  /** Whether its runs wait for single steps. */
  readonly isHeld = signal(false);
  /** The error of an action that another view has started. */
  readonly notice = signal<string | undefined>(undefined);
  readonly thread = signal<ThreadModel | undefined>(undefined);
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #assistants: ReturnType<typeof setTimeout> | undefined;
  #isLoadingMore = false;
  #refreshes = 0;

  constructor(readonly name: string) {
    this.api = new Api(name);
    this.live = new Live(
      this.api,
      () => {
        this.isUnused.value = false;
        this.#reload();
      },
      (error) => this.#fail(error),
    );
    this.live.listen((event) => this.#take(event));
  }

  stop(): void {
    this.live.stop();
    this.thread.peek()?.stop();
  }

  /** Shows another thread, or none. */
  show(thread: string | undefined): void {
    if (this.thread.peek()?.id === thread) return;
    this.thread.peek()?.stop();
    this.thread.value = thread === undefined ? undefined : new ThreadModel(this.api, thread);
    // Otherwise, the thread is read when the connection begins.
    if (this.live.isConnected.peek()) void this.thread.value?.load();
  }

  /** After a reset, other objects may have the same ids. */
  #beginAnew(): void {
    const shown = this.thread.peek()?.id;
    this.runs.value = [];
    this.log.clear();
    forgetFiles();
    this.show(undefined);
    this.show(shown);
    this.#reload();
  }

  async #loadPace(): Promise<void> {
    const { pace } = await this.api.get<{ pace: string }>("_rehearsal/pace");
    this.isHeld.value = pace === "steps";
  }

  #reload(): void {
    this.#refreshSoon();
    void this.loadAssistants();
    this.#loadPace().catch(() => {});
    void this.thread.peek()?.load();
  }

  /** A session that does not exist yet is shown as empty. */
  #fail(error: unknown): void {
    if (!(error instanceof ApiError) || error.status !== 404) return;
    this.isUnused.value = true;
    this.isLoaded.value = true;
    this.runs.value = [];
    this.assistants.value = [];
    this.log.clear();
  }

  #assistantsSoon(): void {
    this.#assistants ??= setTimeout(() => {
      this.#assistants = undefined;
      void this.loadAssistants();
    }, PAUSE);
  }

  async loadAssistants(): Promise<void> {
    try {
      this.assistants.value = await this.api.all<Assistant>("v1/assistants?order=desc");
    } catch (error) {
      this.problem.value = reasonOf(error);
    }
  }

  async loadMoreRuns(): Promise<void> {
    const last = this.runs.value.at(-1);
    if (this.#isLoadingMore || last === undefined) return;
    this.#isLoadingMore = true;
    try {
      const page = await this.#runPage(`&after=${last.run}`);
      // The runs may have been replaced in the meantime.
      if (this.runs.value.at(-1)?.run !== last.run) return;
      this.runs.value = [...this.runs.value, ...page.data];
      this.hasMoreRuns.value = page.has_more;
    } catch (error) {
      this.problem.value = reasonOf(error);
    } finally {
      this.#isLoadingMore = false;
    }
  }

  #runPage(more = ""): Promise<List<RunSummary>> {
    return this.api.get(`_rehearsal/runs?limit=${PAGE}${more}`);
  }

  /** Reads the newest runs. The older ones stay unchanged. */
  async #refreshRuns(): Promise<void> {
    this.#refreshes += 1;
    const mine = this.#refreshes;
    try {
      const page = await this.#runPage();
      // A later answer has priority.
      if (mine !== this.#refreshes) return;
      const fresh = new Set(page.data.map((run) => run.run));
      const isReset = !this.runs.value.some((run) => fresh.has(run.run));
      const older =
        isReset || !page.has_more ? [] : this.runs.value.filter((run) => !fresh.has(run.run));
      if (older.length === 0) this.hasMoreRuns.value = page.has_more;
      this.runs.value = [...page.data, ...older];
      this.problem.value = undefined;
      this.isLoaded.value = true;
    } catch (error) {
      this.problem.value = reasonOf(error);
    }
  }

  #refreshSoon(): void {
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined;
      void this.#refreshRuns();
    }, PAUSE);
  }

  #take(event: SseEvent): void {
    const { name } = event;
    if (name === "session.reset" || name === "snapshot.restored") this.#beginAnew();
    if (name === "pace.changed") void this.#loadPace();
    if (name.startsWith("thread.run") && !name.endsWith(".delta")) this.#refreshSoon();
    if (name === "unmatched") this.#refreshSoon();
    if (name === "thread.deleted") {
      const { id } = JSON.parse(event.data) as { id: string };
      this.runs.value = this.runs.value.filter((run) => run.thread !== id);
    }
    if (name.startsWith("assistant.")) this.#assistantsSoon();
    this.log.take(event);
    this.thread.peek()?.take(event);
  }
}
