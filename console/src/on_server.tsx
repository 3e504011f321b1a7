/** Controls that send commands to a server. A report does not have them. */
import type { ComponentChildren } from "preact";
import { isReport } from "./report";

export function OnServer({ children }: { children: ComponentChildren }) {
  return isReport ? null : children;
}
