/** A request to copy, in three languages. */
import { useSignal } from "@preact/signals";
import { exampleKey } from "./api";
import { type ApiCall, callAs, type Language } from "./call_as";
import { isReport } from "./report";
import { session } from "./state";
import { Copy } from "./ui";

export type { ApiCall };

export function CopyAs({ call }: { call: ApiCall | (() => ApiCall) }) {
  const isOpen = useSignal(false);
  const { api } = session.value;
  if (isReport) return null;
  const text = (language: Language) => () =>
    callAs(
      language,
      typeof call === "function" ? call() : call,
      api.base,
      api.baseURL,
      exampleKey(),
    );
  return (
    <details
      class="copy-as"
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>Copy as …</summary>
      {isOpen.value &&
        (["curl", "Python", "Node"] as const).map((language) => (
          <Copy key={language} text={text(language)} label={language} />
        ))}
    </details>
  );
}
