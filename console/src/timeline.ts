/**
 * One order for the messages of a thread and the runs between them.
 *
 * A run comes before its own first message. Its tool calls come before the message that it wrote
 * after them. A run without a message comes before the next younger message, or before the next run
 * with a message.
 */
import type { Message, Run, Step } from "./types";

export type Item =
  | { kind: "message"; key: string; message: Message }
  | { kind: "run"; key: string; run: Run }
  | { kind: "step"; key: string; step: Step; run: Run };

/** All three lists are oldest first. */
export function timeline(
  messages: readonly Message[],
  runs: readonly Run[],
  stepsOf: (run: string) => readonly Step[],
  /** The start of the user's message that a run answers, if it is known. */
  askedOf: (run: string) => string | undefined = () => undefined,
): Item[] {
  const writers = new Set(messages.map((message) => message.run_id));
  const items: Item[] = [];
  const waiting = [...runs];
  /** The run of the current messages, and its remaining tool calls. */
  let open: { run: Run; calls: Step[] } | undefined;

  const close = () => {
    for (const step of open?.calls ?? []) pushStep(step);
    open = undefined;
  };
  const begin = (run: Run) => {
    close();
    items.push({ kind: "run", key: run.id, run });
    open = { run, calls: stepsOf(run.id).filter((step) => isShown(step, run)) };
  };
  const pushStep = (step: Step) => {
    if (open !== undefined) items.push({ kind: "step", key: step.id, step, run: open.run });
  };
  const beginWhile = (isDue: (run: Run) => boolean) => {
    for (let run = waiting[0]; run !== undefined && isDue(run); run = waiting[0]) {
      waiting.shift();
      begin(run);
    }
  };

  /**
   * The user's message before this one. Times in seconds do not show whether a run came before it.
   */
  let asked: Message | undefined;
  const isAskedBy = (run: Run, message: Message) => {
    const words = askedOf(run.id);
    return words !== undefined && textOf(message).startsWith(words);
  };
  for (const message of messages) {
    const { run_id: own } = message;
    if (own === null || message.role === "user") {
      beginWhile(
        (run) =>
          !writers.has(run.id) &&
          (run.created_at < message.created_at ||
            (asked !== undefined &&
              run.created_at === message.created_at &&
              isAskedBy(run, asked) &&
              !isAskedBy(run, message))),
      );
      close();
      asked = message;
    } else {
      if (waiting.some((run) => run.id === own)) {
        let isPast = false;
        beginWhile((run) => {
          const isDue = !isPast;
          isPast ||= run.id === own;
          return isDue;
        });
      }
      const written = placeOf(stepsOf(own), message);
      while (open?.calls[0] !== undefined && written(open.calls[0])) {
        pushStep(open.calls.shift() as Step);
      }
    }
    items.push({ kind: "message", key: message.id, message });
  }
  beginWhile(() => true);
  close();
  return items;
}

/** The form for outputs shows the calls that a run waits for, so they are not shown here. */
function isShown(step: Step, run: Run): boolean {
  const isWaitedFor = run.status === "requires_action" && step.status === "in_progress";
  return step.type === "tool_calls" && !isWaitedFor;
}

function textOf(message: Message): string {
  return message.content.map((part) => part.text?.value ?? "").join("\n");
}

/** Returns a check whether a step came before a message. */
function placeOf(steps: readonly Step[], message: Message): (step: Step) => boolean {
  const creates = (step: Step) => step.step_details.message_creation?.message_id === message.id;
  const place = steps.findIndex(creates);
  return (step) => place >= 0 && steps.indexOf(step) < place;
}
