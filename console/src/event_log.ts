/** The events of each run with their times, as a client sees them in the stream. */
import { signal } from "@preact/signals";
import type { SseEvent } from "./sse";

/** The maximum number of runs, and of events of each. */
const RUNS = 50;
const EVENTS = 5000;
/** The maximum number of messages and steps whose runs are remembered. */
const OWNERS = 2000;

export interface TimedEvent extends SseEvent {
  /** Milliseconds since the first event of the run. */
  at: number;
}

interface RunEvents {
  begun: number;
  events: TimedEvent[];
}

/** The time that the end of a stream waits for earlier events of the session, in milliseconds. */
const LATE = 250;

export class EventLog {
  readonly #runs = new Map<string, RunEvents>();
  /** The runs of messages and steps. Their deltas do not have the id of the run. */
  readonly #owners = new Map<string, string>();
  #isDrawing = false;
  /** Changes after events, once per frame. */
  readonly version = signal(0);

  /** Notes an event of the session, if it is about a run. */
  take(event: SseEvent, now = performance.now()): void {
    const run = this.runOf(event);
    if (run !== undefined) this.#note(run, event, now);
  }

  /** Notes the end of a stream. It comes on another connection than the other events. */
  end(run: string, event: SseEvent, wait = LATE): void {
    setTimeout(() => this.#note(run, event, performance.now()), wait);
  }

  of(run: string): readonly TimedEvent[] {
    this.version.value;
    return this.#runs.get(run)?.events ?? [];
  }

  /** Deletes everything: after a reset, new objects may have the same ids. */
  clear(): void {
    this.#runs.clear();
    this.#owners.clear();
    this.#draw();
  }

  #note(run: string, event: SseEvent, now: number): void {
    const known = this.#runs.get(run) ?? { begun: now, events: [] };
    this.#runs.set(run, known);
    forgetOldest(this.#runs, RUNS);
    const last = known.events.at(-1)?.at ?? 0;
    if (known.events.length < EVENTS) {
      known.events.push({ ...event, at: event.name.includes(".") ? now - known.begun : last });
    }
    this.#draw();
  }

  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    nextFrame(() => {
      this.#isDrawing = false;
      this.version.value += 1;
    });
  }

  runOf({ name, data }: SseEvent): string | undefined {
    if (!name.startsWith("thread.")) return undefined;
    const object = JSON.parse(data) as { id: string; object?: string; run_id?: string | null };
    if (object.object === "thread.run") return object.id;
    if (!object.run_id) return this.#owners.get(object.id);
    this.#owners.set(object.id, object.run_id);
    forgetOldest(this.#owners, OWNERS);
    return object.run_id;
  }
}

/** Without a browser, there are no frames. */
function nextFrame(draw: () => void): void {
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(draw);
  else draw();
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}

/** The events in their wire format. */
export function asText(events: readonly SseEvent[]): string {
  return events.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join("");
}
