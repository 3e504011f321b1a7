/** A message: its text as Markdown, its images and files, its citations. */
import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Citation } from "./citation";
import { Download, Image } from "./files";
import { type Mark, Markdown } from "./markdown";
import { session } from "./state";
import type { Annotation, Content, Message } from "./types";
import { Time } from "./ui";

export function MessageView(props: { message: Message; children?: ComponentChildren }) {
  const { message, children } = props;
  const name = useComputed(() => {
    const found = session.value.assistants.value.find((it) => it.id === message.assistant_id);
    return found?.name ?? "assistant";
  });
  return (
    <article class={`message ${message.role}`}>
      <p class="line">
        <bdi class="role">{message.role === "user" ? "user" : name.value}</bdi>
        <Time at={message.created_at} />
      </p>
      {message.content.map((content, place) => (
        <ContentView key={place} content={content} run={message.run_id} />
      ))}
      {(message.attachments ?? []).map(({ file_id: id }) => (
        <Download key={id} id={id} />
      ))}
      <div class="tools buttons">{children}</div>
    </article>
  );
}

function ContentView({ content, run }: { content: Content; run: string | null }) {
  if (content.refusal !== undefined) {
    return (
      <p class="refusal">
        <strong>Refusal:</strong> {content.refusal}
      </p>
    );
  }
  if (content.image_file !== undefined) return <Image id={content.image_file.file_id} />;
  if (content.image_url !== undefined) {
    return <p class="plain">Image at {content.image_url.url}</p>;
  }
  const { value = "", annotations = [] } = content.text ?? {};
  return <Markdown text={value} marks={annotations.map((it, nth) => mark(it, nth, run))} />;
}

/** The element that replaces the text of an annotation. */
function mark(annotation: Annotation, nth: number, run: string | null): Mark {
  const { text, file_citation: cited, file_path: linked } = annotation;
  return {
    text,
    render: () =>
      linked === undefined ? (
        <Citation number={nth + 1} file={cited?.file_id ?? ""} run={run} />
      ) : (
        <Download id={linked.file_id} />
      ),
  };
}
