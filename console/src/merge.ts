/** Merges the deltas of a stream into their objects. */
import type { Content, Message, Step, ToolCall } from "./types";

type Indexed<T> = T & { index?: number };

export interface MessageDelta {
  id: string;
  delta: { content?: Indexed<Content>[] };
}

export interface StepDelta {
  id: string;
  delta: { step_details?: { type: string; tool_calls?: Indexed<ToolCall>[] } };
}

export function mergeMessage(message: Message, { delta }: MessageDelta): Message {
  const content = [...message.content];
  for (const piece of delta.content ?? []) {
    const place = piece.index ?? 0;
    const before = content[place];
    const { index: _, ...rest } = piece;
    content[place] =
      before === undefined
        ? begun(rest)
        : {
            ...before,
            ...(before.text && {
              text: {
                value: before.text.value + (piece.text?.value ?? ""),
                annotations: [...before.text.annotations, ...(piece.text?.annotations ?? [])],
              },
            }),
            ...(before.refusal !== undefined && {
              refusal: before.refusal + (piece.refusal ?? ""),
            }),
          };
  }
  return { ...message, content };
}

/** The first delta of a text has no annotations. */
function begun(content: Content): Content {
  if (content.text === undefined) return content;
  return { ...content, text: { ...content.text, annotations: content.text.annotations ?? [] } };
}

export function mergeStep(step: Step, { delta }: StepDelta): Step {
  const details = delta.step_details;
  if (details?.tool_calls === undefined) return step;
  const calls = [...(step.step_details.tool_calls ?? [])];
  for (const piece of details.tool_calls) {
    const place = piece.index ?? 0;
    calls[place] = mergeCall(calls[place], piece);
  }
  return { ...step, step_details: { ...step.step_details, tool_calls: calls } };
}

function mergeCall(before: ToolCall | undefined, piece: ToolCall): ToolCall {
  if (before === undefined) return piece;
  return {
    ...before,
    ...(piece.function && {
      function: {
        name: before.function?.name ?? piece.function.name,
        arguments: (before.function?.arguments ?? "") + (piece.function.arguments ?? ""),
        output: piece.function.output ?? before.function?.output ?? null,
      },
    }),
    ...(piece.code_interpreter && {
      code_interpreter: {
        input: (before.code_interpreter?.input ?? "") + (piece.code_interpreter.input ?? ""),
        outputs: [
          ...(before.code_interpreter?.outputs ?? []),
          ...(piece.code_interpreter.outputs ?? []),
        ],
      },
    }),
  };
}
