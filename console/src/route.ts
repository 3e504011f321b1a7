/** The view as an address: `#/s/NAME/threads/thread_…`. Users can save it and share it. */

/** The pages of a session, besides its threads. */
export const PAGES = [
  "runs",
  "threads",
  "responses",
  "assistants",
  "files",
  "fixtures",
  "match",
  "turns",
  "journal",
  "session",
  "new",
] as const;

export type PageName = (typeof PAGES)[number];
export type View = { page: PageName } | { page: "thread"; thread: string };

export interface Route {
  session: string;
  view: View;
}

export const DEFAULT_SESSION = "default";

export function parseRoute(hash: string): Route {
  const parts = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter(Boolean)
    .map(decoded);
  let session = DEFAULT_SESSION;
  if (parts[0] === "s" && parts[1] !== undefined) {
    session = parts[1];
    parts.splice(0, 2);
  }
  const [page, thread] = parts;
  if (page === "threads" && thread !== undefined) {
    return { session, view: { page: "thread", thread } };
  }
  return { session, view: { page: PAGES.find((name) => name === page) ?? "runs" } };
}

export function formatRoute({ session, view }: Route): string {
  const start = session === DEFAULT_SESSION ? "#/" : `#/s/${encodeURIComponent(session)}/`;
  if (view.page === "thread") return `${start}threads/${encodeURIComponent(view.thread)}`;
  return view.page === "runs" ? start : `${start}${view.page}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
