/** A report: this page with answers inside. It needs no server and is read-only. */

interface Content {
  base64: string;
}

const inside = document.getElementById("answers");

/** Whether this page is a report. */
export const isReport = inside !== null;

interface Answers {
  by_path: Record<string, unknown>;
  is_full: boolean;
}

let answers: Answers | undefined;

function inReport(): Answers {
  const none = '{"by_path": {}, "is_full": false}';
  answers ??= JSON.parse(inside?.textContent ?? none) as Answers;
  return answers;
}

/** Whether the report had no room for everything. */
export function isCut(): boolean {
  return inReport().is_full;
}

/** The answer for a path of a session, if the report has it. */
export function answerOf(session: string, path: string): Response | undefined {
  // The list of sessions is the same in all sessions.
  const found =
    inReport().by_path[`s/${path === "_rehearsal/sessions" ? "default" : session}/${path}`];
  if (found === undefined) return undefined;
  if (!(found as Partial<Content> | null)?.base64) return new Response(JSON.stringify(found));
  const bytes = Uint8Array.from(atob((found as Content).base64), (it) => it.codePointAt(0) ?? 0);
  return new Response(bytes);
}

export interface Expectation {
  expectation: unknown;
  passed: boolean;
  difference?: string;
}

/** The expectations of the sessions, if any. */
export function expectations(): Expectation[] {
  const text = document.getElementById("data")?.textContent ?? "{}";
  const report = JSON.parse(text) as { verification?: { results: Expectation[] } | null };
  return report.verification?.results ?? [];
}

/** Removes the version of the page for readers without scripts. */
export function takeOver(): void {
  document.getElementById("plain")?.remove();
  document.getElementById("plain-style")?.remove();
  document.getElementById("app-style")?.removeAttribute("media");
}
