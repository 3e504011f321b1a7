/** The frame: which session, whether it is live, and the view that the address names. */
import { useSignal } from "@preact/signals";
import { keyRefused, setKey } from "./api";
import { Composer } from "./composer";
import { DEFAULT_SESSION } from "./route";
import { Runs } from "./runs";
import { Start } from "./start";
import { linkTo, restart, route, session } from "./state";
import { ThreadView } from "./thread_view";
import { announcement, Problem } from "./ui";

export function App() {
  const { view } = route.value;
  return (
    <div class={`app at-${view.page}`}>
      <Header />
      {keyRefused.value ? <KeyForm /> : <Views />}
      <p class="unseen" role="status">
        {announcement.value}
      </p>
    </div>
  );
}

function Header() {
  const { name, live } = session.value;
  const isLive = live.isConnected.value;
  return (
    <header>
      <a class="brand" href={linkTo({ page: "runs" })}>
        <img src="assets/icon.svg" alt="" width="20" height="20" /> Rehearsal
      </a>
      {name !== DEFAULT_SESSION && <span class="session">session {name}</span>}
      <span class={isLive ? "live on" : "live"} role="status">
        {isLive ? "live" : "connecting …"}
      </span>
      <a class="button" href={linkTo({ page: "new" })}>
        New thread
      </a>
    </header>
  );
}

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
        {view.page === "runs" &&
          (isEmpty ? <Start /> : isLoaded.value && <p class="hint">Choose a run.</p>)}
      </main>
    </div>
  );
}

function KeyForm() {
  const key = useSignal("");
  const submit = (event: Event) => {
    event.preventDefault();
    setKey(key.value);
    restart();
  };
  return (
    <main>
      <form class="key" onSubmit={submit}>
        <h1>This server wants an API key</h1>
        <Problem>The server refuses the key that this page has sent.</Problem>
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
