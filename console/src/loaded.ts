/** What a view has read, and reads again when the session says that it has changed. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { reasonOf } from "./api";
import { session } from "./state";

/** How long changes are collected before something is read again, in milliseconds. */
const PAUSE = 150;

export interface Loaded<T> {
  data: T | undefined;
  problem: string | undefined;
  reload: () => void;
}

/**
 * Reads once, when one of `inputs` changes, and after events whose names begin with one of
 * `changes`. Of answers that come late only the newest counts.
 */
export function useLoaded<T>(
  load: () => Promise<T>,
  inputs: readonly unknown[],
  changes: readonly string[] = [],
): Loaded<T> {
  const data: Signal<T | undefined> = useSignal(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const attempt = useRef(0);
  const latest = useRef(load);
  latest.current = load;
  const read = async () => {
    attempt.current += 1;
    const mine = attempt.current;
    try {
      const found = await latest.current();
      if (mine !== attempt.current) return;
      data.value = found;
      problem.value = undefined;
    } catch (error) {
      if (mine === attempt.current) problem.value = reasonOf(error);
    }
  };
  const { live } = session.value;
  useEffect(() => {
    void read();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.listen(({ name }) => {
      if (timer !== undefined || !changes.some((change) => name.startsWith(change))) return;
      timer = setTimeout(() => {
        timer = undefined;
        void read();
      }, PAUSE);
    });
    return () => {
      stop();
      clearTimeout(timer);
      attempt.current += 1;
    };
  }, [live, ...inputs]);
  return { data: data.value, problem: problem.value, reload: () => void read() };
}
