/** Form fields, each bound to a signal. */
import type { Signal } from "@preact/signals";
import { session } from "./state";

export function TextField(props: { label: string; value: Signal<string>; isShort?: boolean }) {
  const { label, value, isShort } = props;
  return (
    <label>
      {label}{" "}
      <input
        class={isShort ? "short" : ""}
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}

/** A text of several lines. */
export function TextArea(props: { label: string; value: Signal<string>; placeholder?: string }) {
  const { label, value, placeholder } = props;
  const rows = Math.min(Math.max(value.value.split("\n").length + 1, 4), 20);
  return (
    <label>
      {label}
      <textarea
        rows={rows}
        spellcheck={false}
        placeholder={placeholder ?? ""}
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}

export function CheckField({ label, value }: { label: string; value: Signal<boolean> }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={value.value}
        onChange={(event) => {
          value.value = event.currentTarget.checked;
        }}
      />
      {label}
    </label>
  );
}

/** A choice among the assistants of the session. */
export function AssistantSelect(props: {
  id: string | undefined;
  choose: (id: string) => void;
  isLabelUnseen?: boolean;
}) {
  const { id, choose, isLabelUnseen } = props;
  return (
    <label>
      <span class={isLabelUnseen ? "unseen" : ""}>Assistant</span>
      <select value={id} onChange={(event) => choose(event.currentTarget.value)}>
        {session.value.assistants.value.map((assistant) => (
          <option key={assistant.id} value={assistant.id}>
            {assistant.name ?? assistant.id}
          </option>
        ))}
      </select>
    </label>
  );
}
