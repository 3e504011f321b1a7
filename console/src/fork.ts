/** A new thread with the messages of another thread up to one message. */
import type { Api } from "./api";
import type { Content, Message, Thread } from "./types";

/** The maximum number of messages in the request for a new thread. */
const AT_ONCE = 32;

export async function forkAt(api: Api, thread: string, message: string): Promise<string> {
  const all = await api.all<Message>(`v1/threads/${thread}/messages?order=asc`, Infinity);
  const end = all.findIndex((it) => it.id === message) + 1;
  const bodies = all.slice(0, end).map(bodyOf);
  const forked = await api.post<Thread>("v1/threads", {
    messages: bodies.slice(0, AT_ONCE),
    metadata: { forked_from: thread },
  });
  for (const body of bodies.slice(AT_ONCE)) {
    await api.post(`v1/threads/${forked.id}/messages`, body);
  }
  return forked.id;
}

function bodyOf({ role, content, attachments }: Message): Record<string, unknown> {
  const parts = content.flatMap(partOf);
  return {
    role,
    content: parts.length > 0 ? parts : [{ type: "text", text: "(nothing)" }],
    ...(attachments?.length && { attachments }),
  };
}

/** A part in the form of requests. Annotations and refusals become plain text. */
function partOf(part: Content): unknown[] {
  if (part.text !== undefined) {
    return part.text.value === "" ? [] : [{ type: "text", text: part.text.value }];
  }
  if (part.refusal !== undefined) return [{ type: "text", text: part.refusal }];
  const { type, image_file, image_url } = part;
  return [{ type, ...(image_file && { image_file }), ...(image_url && { image_url }) }];
}
