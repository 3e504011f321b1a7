/** The frame: the session, the state of its connection, and the view from the address. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { hasKey, keyRefused, setKey } from "./api";
import { AssistantsPage } from "./assistants_page";
import { Composer } from "./composer";
import { FilesPage } from "./files_page";
import { FixturesPage } from "./fixtures_page";
import icon from "./icon.svg";
import { JournalPage } from "./journal_page";
import { Jump } from "./jump";
import { MatchPage } from "./match";
import { OnServer } from "./on_server";
import { isReport } from "./report";
import { ReportSummary } from "./report_summary";
import { ResponsesPage } from "./responses_page";
import { DEFAULT_SESSION, type PageName } from "./route";
import { Runs } from "./runs";
import { SessionPage } from "./session_page";
import { Start } from "./start";
import { linkTo, restart, route, session } from "./state";
import { ThreadView } from "./thread_view";
import { ThreadsPage } from "./threads_page";
import { TurnsPage } from "./turns_page";
import { announcement, Problem } from "./ui";

export function App() {
  const { view } = route.value;
  return (
    <div class={`app at-${view.page}`}>
      <Header />
      <Menu />
      {keyRefused.value ? <KeyForm /> : <Views key={session.value.name} />}
      <p class="unseen" role="status">
        {announcement.value}
      </p>
    </div>
  );
}

/** The pages in the menu, with their titles. */
const MENU: readonly [PageName, string][] = [
  ["runs", "Runs"],
  ["threads", "Threads"],
  ["responses", "Responses"],
  ["assistants", "Assistants"],
  ["files", "Files"],
  ["fixtures", "Fixtures"],
  ["match", "Match"],
  ["turns", "Turns"],
  ["journal", "Journal"],
  ["session", "Session"],
];

/** Pages that a report does not have. */
const LIVE: ReadonlySet<PageName> = new Set(["match", "responses", "session"]);

function Menu() {
  const { view } = route.value;
  return (
    <nav class="menu" aria-label="Pages">
      {MENU.filter(([page]) => !isReport || !LIVE.has(page)).map(([page, title]) => (
        <a
          key={page}
          href={linkTo({ page })}
          aria-current={view.page === page ? "page" : undefined}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}

function Header() {
  const { name, live, isUnused } = session.value;
  const isLive = live.isConnected.value;
  return (
    <header>
      <a class="brand" href={linkTo({ page: "runs" })}>
        <img src={icon} alt="" width="20" height="20" /> Rehearsal
      </a>
      {name !== DEFAULT_SESSION && <span class="session">session {name}</span>}
      <OnServer>
        <Jump />
      </OnServer>
      <span class={isLive ? "live on" : "live"} role="status">
        {isReport
          ? "report"
          : isLive
            ? "live"
            : isUnused.value
              ? "waits for its first request"
              : "connecting …"}
      </span>
      <OnServer>
        <a class="button" href={linkTo({ page: "new" })}>
          New thread
        </a>
      </OnServer>
    </header>
  );
}

const PAGES: Partial<Record<string, () => ComponentChildren>> = {
  assistants: () => <AssistantsPage />,
  files: () => <FilesPage />,
  fixtures: () => <FixturesPage />,
  journal: () => <JournalPage />,
  match: () => <MatchPage />,
  responses: () => <ResponsesPage />,
  session: () => <SessionPage />,
  threads: () => <ThreadsPage />,
  turns: () => <TurnsPage />,
};

function Views() {
  const { view } = route.value;
  const { thread, runs, isLoaded } = session.value;
  const isEmpty = isLoaded.value && runs.value.length === 0;
  return (
    <div class="views">
      <nav class="side" aria-label="Runs">
        <Runs />
      </nav>
      <main>
        {view.page === "thread" && thread.value !== undefined && (
          <ThreadView key={thread.value.id} model={thread.value} />
        )}
        {view.page === "new" && (
          <section class="new" aria-label="New thread">
            <h1>New thread</h1>
            <Composer />
          </section>
        )}
        {PAGES[view.page]?.()}
        {view.page === "runs" && isReport && <ReportSummary />}
        {view.page === "runs" &&
          !isReport &&
          (isEmpty ? <Start /> : isLoaded.value && <p class="hint">Choose a run.</p>)}
      </main>
    </div>
  );
}

function KeyForm() {
  const key = useSignal("");
  const problem = useSignal(hasKey() ? "The server refuses this key." : undefined);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!/^[\x21-\x7e]+$/.test(key.value)) {
      problem.value = "A key has letters, digits and signs of ASCII, and no blanks.";
      return;
    }
    setKey(key.value);
    restart();
  };
  return (
    <main>
      <form class="key" onSubmit={submit}>
        <h1>This server wants an API key</h1>
        {problem.value !== undefined && <Problem>{problem.value}</Problem>}
        <label>
          API key
          <input
            type="password"
            autocomplete="off"
            value={key.value}
            onInput={(event) => {
              key.value = event.currentTarget.value;
            }}
          />
        </label>
        <p class="hint">This tab keeps it until it is closed.</p>
        <button type="submit" class="main">
          Go on
        </button>
      </form>
    </main>
  );
}
