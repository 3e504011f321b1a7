/** A button that sends a request, with the request as text to copy. */
import type { ApiCall } from "./call_as";
import { CopyAs } from "./copy_as";
import { session } from "./state";
import { Action } from "./ui";

export function Call(props: {
  label: string;
  call: ApiCall;
  done?: (answer: unknown) => unknown;
  isMain?: boolean;
}) {
  const { api } = session.value;
  const { label, call, done, isMain } = props;
  const act = async () => {
    const answer = await api.call(call);
    await done?.(answer);
  };
  return (
    <>
      <Action act={act} isMain={isMain ?? false}>
        {label}
      </Action>
      <CopyAs call={call} />
    </>
  );
}
