/** What asks a server to do something: a report has none of it. */
import type { ComponentChildren } from "preact";
import { isReport } from "./report";

export function OnServer({ children }: { children: ComponentChildren }) {
  return isReport ? null : children;
}
