/** The events of each run, with their times: what a client that streams it sees. */
import { signal } from "@preact/signals";
import type { SseEvent } from "./sse";

/** How many runs are remembered, and how many events of each. */
const RUNS = 50;
const EVENTS = 5000;
/** How many messages and steps are remembered with their runs. */
const OWNERS = 2000;

export interface TimedEvent extends SseEvent {
  /** Milliseconds since the first event of the run. */
  at: number;
}

interface RunEvents {
  begun: number;
  events: TimedEvent[];
  /** Whether they come from a stream of this page rather than from the session. */
  isStream: boolean;
}

export class EventLog {
  readonly #runs = new Map<string, RunEvents>();
  /** The runs of messages and steps, whose deltas name none. */
  readonly #owners = new Map<string, string>();
  /** Changes with every event. */
  readonly version = signal(0);

  /**
   * Notes an event, and answers the run that it is about. `fallback` is the run of an event that
   * names none, such as the end of a stream.
   */
  take(
    event: SseEvent,
    isStream: boolean,
    fallback?: string,
    now = performance.now(),
  ): string | undefined {
    const run = this.#runOf(event) ?? fallback;
    if (run === undefined) return undefined;
    let known = this.#runs.get(run);
    if (known === undefined || (isStream && !known.isStream)) {
      known = { begun: now, events: [], isStream };
      this.#runs.set(run, known);
      forgetOldest(this.#runs, RUNS);
    }
    if (known.isStream === isStream && known.events.length < EVENTS) {
      known.events.push({ ...event, at: now - known.begun });
      this.version.value += 1;
    }
    return run;
  }

  of(run: string): readonly TimedEvent[] {
    this.version.value;
    return this.#runs.get(run)?.events ?? [];
  }

  #runOf({ name, data }: SseEvent): string | undefined {
    if (!name.startsWith("thread.")) return undefined;
    const object = JSON.parse(data) as { id: string; object?: string; run_id?: string | null };
    if (object.object === "thread.run") return object.id;
    if (!object.run_id) return this.#owners.get(object.id);
    this.#owners.set(object.id, object.run_id);
    forgetOldest(this.#owners, OWNERS);
    return object.run_id;
  }
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}

/** The events as they come over the wire. */
export function asText(events: readonly SseEvent[]): string {
  return events.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join("");
}
