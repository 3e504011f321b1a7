/**
 * Listens to the changes of a session. After a disconnect it listens again and calls `begin`,
 * because it may have missed events.
 */
import { signal } from "@preact/signals";
import type { Api } from "./api";
import { isReport } from "./report";
import { eventsOf, type SseEvent } from "./sse";

/** The wait before the next attempt, in milliseconds. */
const RETRY = 1000;

export class Live {
  readonly isConnected = signal(false);
  readonly #stop = new AbortController();
  readonly #listeners = new Set<(event: SseEvent) => void>();

  /**
   * `begin` is called each time that listening begins: earlier data may be out of date. `fail` is
   * called if listening does not begin.
   */
  constructor(
    readonly api: Api,
    private readonly begin: () => void,
    private readonly fail: (error: unknown) => void,
  ) {
    if (isReport) queueMicrotask(() => this.#once());
    else void this.#run();
  }

  /** The data of a report do not change. */
  #once(): void {
    this.isConnected.value = true;
    this.begin();
  }

  listen(listener: (event: SseEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await isVisible();
      // A browser has few connections to one host, so a hidden page closes its connection.
      const away = new AbortController();
      const hide = () => {
        if (document.hidden) away.abort();
      };
      document.addEventListener("visibilitychange", hide);
      try {
        const signal = AbortSignal.any([this.#stop.signal, away.signal]);
        const response = await this.api.open("_rehearsal/events", signal);
        this.isConnected.value = true;
        this.begin();
        for await (const event of eventsOf(response)) {
          for (const listener of this.#listeners) listener(event);
        }
      } catch (error) {
        if (!away.signal.aborted) this.fail(error);
      } finally {
        document.removeEventListener("visibilitychange", hide);
      }
      this.isConnected.value = false;
      if (!this.#stop.signal.aborted) await new Promise((done) => setTimeout(done, RETRY));
    }
  }
}

/** Completes when the page is visible. */
async function isVisible(): Promise<void> {
  while (document.hidden) {
    await new Promise((done) =>
      document.addEventListener("visibilitychange", done, { once: true }),
    );
  }
}
