/** Small components that all views share. */
import { signal, useSignal } from "@preact/signals";
import { Component, type ComponentChildren } from "preact";
import { reasonOf } from "./api";
import { isReport } from "./report";
import type { RunStatus } from "./types";

/** A run status in the words of the API. */
export function Status({ status }: { status: RunStatus }) {
  return <span class={`status ${status}`}>{status}</span>;
}

/** The statuses of a run so far. */
export function Walk({ walk }: { walk: readonly RunStatus[] }) {
  const last = walk.at(-1);
  const before = walk.slice(0, -1).join(" → ");
  return (
    <span class="walk">
      {before !== "" && <span class="before">{before} → </span>}
      {last !== undefined && <Status status={last} />}
    </span>
  );
}

export function Time({ at }: { at: number }) {
  const date = new Date(at * 1000);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {date.toLocaleTimeString()}
    </time>
  );
}

/** Shows an error, also to users of screen readers. */
export function Problem({ children }: { children: ComponentChildren }) {
  return (
    <p class="problem" role="alert">
      {children}
    </p>
  );
}

/** An error in one part of the page does not affect the other parts. */
export class Boundary extends Component<{ children: ComponentChildren }, { problem?: string }> {
  override state: { problem?: string } = {};

  override componentDidCatch(error: unknown): void {
    this.setState({ problem: reasonOf(error) });
  }

  override render() {
    const { problem } = this.state;
    if (problem === undefined) return <>{this.props.children}</>;
    return <Problem>This cannot be shown: {problem}</Problem>;
  }
}

/** A button for an action that may fail: it shows the error, and cannot be pressed twice. */
export function Action(props: {
  children: ComponentChildren;
  act: () => Promise<unknown>;
  isMain?: boolean;
  isDisabled?: boolean;
  /** Whether the action only reads: then a report has it, too. */
  isRead?: boolean;
}) {
  const isBusy = useSignal(false);
  const problem = useSignal<string | undefined>(undefined);
  const press = async () => {
    isBusy.value = true;
    problem.value = undefined;
    try {
      await props.act();
    } catch (error) {
      problem.value = reasonOf(error);
    }
    isBusy.value = false;
  };
  if (isReport && !props.isRead) return null;
  return (
    <>
      <button
        type="button"
        class={props.isMain ? "main" : ""}
        disabled={isBusy.value || props.isDisabled}
        onClick={press}
      >
        {props.children}
      </button>
      {problem.value !== undefined && <Problem>{problem.value}</Problem>}
    </>
  );
}

/** The last copied text, for users of screen readers. */
export const announcement = signal("");

export function Copy({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const isDone = useSignal(false);
  const copy = async () => {
    try {
      await copyText(typeof text === "string" ? text : text());
      announcement.value = "Copied";
    } catch (error) {
      announcement.value = `Not copied: ${reasonOf(error)}`;
    }
    isDone.value = announcement.value === "Copied";
    setTimeout(() => {
      isDone.value = false;
      announcement.value = "";
    }, 1500);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {isDone.value ? "Copied" : label}
    </button>
  );
}

/** Copies, also on pages without a clipboard: pages from other machines without TLS. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Offers text or bytes as a file. */
export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** JSON on several lines, or the text unchanged. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * The maximum number of characters in the layout: a word of a million characters takes a browser
 * minutes.
 */
const SHOWN = 50_000;

/** A text in a box that scrolls, also with the keyboard. */
export function Box({ text, label }: { text: string; label: string }) {
  if (text.length > SHOWN) {
    return (
      <>
        <Box text={text.slice(0, SHOWN)} label={label} />
        <p class="hint">
          {(text.length - SHOWN).toLocaleString("en")} more characters.{" "}
          <Copy text={text} label="Copy all" />
        </p>
      </>
    );
  }
  return (
    <pre class="box" tabIndex={0} role="group" aria-label={label}>
      {text}
    </pre>
  );
}
