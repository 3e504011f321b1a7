/** Data that a view reads, and reads again after changes in the session. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { reasonOf } from "./api";
import { session } from "./state";

/** The time for which changes are collected before the next read, in milliseconds. */
const PAUSE = 150;

export interface Loaded<T> {
  data: T | undefined;
  problem: string | undefined;
  reload: () => void;
}

/**
 * Reads once at the start, when one of `inputs` changes, and when the connection returns. It also
 * reads after events whose names start with one of `changes`. There is one read at a time, and one
 * more if something changed during a read. Data for another first input are dropped.
 */
export function useLoaded<T>(
  load: () => Promise<T>,
  inputs: readonly unknown[],
  changes: readonly string[] = [],
): Loaded<T> {
  const data: Signal<T | undefined> = useSignal(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const reader = useRef<Reader<T>>(undefined);
  const latest = useRef(load);
  latest.current = load;
  const shown = useRef(inputs[0]);
  const { live } = session.value;
  useEffect(() => {
    if (shown.current !== inputs[0]) data.value = undefined;
    shown.current = inputs[0];
    const mine = new Reader(() => latest.current(), data, problem);
    reader.current = mine;
    mine.read();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.listen(({ name }) => {
      if (timer !== undefined || !changes.some((change) => name.startsWith(change))) return;
      timer = setTimeout(() => {
        timer = undefined;
        mine.read();
      }, PAUSE);
    });
    return () => {
      stop();
      clearTimeout(timer);
      mine.stop();
    };
  }, [live, live.isConnected.value, ...inputs]);
  return { data: data.value, problem: problem.value, reload: () => reader.current?.read() };
}

/** Reads one at a time. */
class Reader<T> {
  #isReading = false;
  #isDue = false;
  #isOver = false;

  constructor(
    private readonly load: () => Promise<T>,
    private readonly data: Signal<T | undefined>,
    private readonly problem: Signal<string | undefined>,
  ) {}

  read(): void {
    this.#isDue = true;
    if (!this.#isReading) void this.#run();
  }

  stop(): void {
    this.#isOver = true;
  }

  async #run(): Promise<void> {
    this.#isReading = true;
    while (this.#isDue && !this.#isOver) {
      this.#isDue = false;
      try {
        const found = await this.load();
        if (this.#isOver) return;
        this.data.value = found;
        this.problem.value = undefined;
      } catch (error) {
        if (!this.#isOver) this.problem.value = reasonOf(error);
      }
    }
    this.#isReading = false;
  }
}
