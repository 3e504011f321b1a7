/** The session as a whole: other sessions, the clock, the pace, snapshots. */
import { useSignal } from "@preact/signals";
import { Call } from "./call";
import type { ApiCall } from "./call_as";
import { TextField } from "./fields";
import { useLoaded } from "./loaded";
import { DEFAULT_SESSION, formatRoute } from "./route";
import { session } from "./state";
import type { ClockView, List, SessionSummary, Snapshot } from "./types";
import { Problem, Time } from "./ui";

export function SessionPage() {
  return (
    <section class="page" aria-label="Session">
      <h1>
        Session <bdi>{session.value.name}</bdi>
      </h1>
      <Clock />
      <Pace />
      <Snapshots />
      <Sessions />
    </section>
  );
}

function Clock() {
  const { api } = session.value;
  const by = useSignal("10m");
  const due = useSignal<readonly { event: string; id: string }[] | undefined>(undefined);
  const { data, problem, reload } = useLoaded(
    () => api.get<ClockView>("_rehearsal/clock"),
    [api],
    ["clock", "session", "snapshot"],
  );
  const set = (body: unknown): ApiCall => ({ method: "POST", path: "_rehearsal/clock", body });
  const done = (answer: unknown) => {
    due.value = (answer as { due: { event: string; id: string }[] }).due;
    reload();
  };
  return (
    <>
      <h2>Clock</h2>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {data !== undefined && (
        <p>
          <time dateTime={data.now}>{data.now}</time> {data.frozen ? "frozen" : "running"}
        </p>
      )}
      <p class="buttons">
        <TextField label="Advance by" value={by} isShort />
        <Call label="Advance" call={set({ advance: by.value })} done={done} isMain />
        {data?.frozen ? (
          <Call label="Let it run" call={set({ resume: true })} done={done} />
        ) : (
          <Call label="Freeze" call={set({ freeze: true })} done={done} />
        )}
      </p>
      {due.value !== undefined && (
        <p role="status">
          {due.value.length === 0
            ? "Nothing fell due."
            : `Fell due: ${due.value.map((it) => `${it.event} ${it.id}`).join(", ")}`}
        </p>
      )}
    </>
  );
}

function Pace() {
  const { api } = session.value;
  const { data, reload } = useLoaded(
    () => api.get<{ pace: string }>("_rehearsal/pace"),
    [api],
    ["pace", "session", "snapshot"],
  );
  const isHeld = data?.pace === "steps";
  const call: ApiCall = {
    method: "POST",
    path: "_rehearsal/pace",
    body: { pace: isHeld ? null : "steps" },
  };
  return (
    <>
      <h2>Pace</h2>
      <p>
        Runs that are to come go at the pace <strong>{data?.pace}</strong>.{" "}
        {isHeld && "Each waits until it is stepped, in its thread."}
      </p>
      <p class="buttons">
        <Call
          label={isHeld ? "Hold no more runs" : "Hold the next runs"}
          call={call}
          done={reload}
        />
      </p>
    </>
  );
}

function Snapshots() {
  const { api } = session.value;
  const name = useSignal("before");
  const { data, problem, reload } = useLoaded(
    () => api.get<List<Snapshot>>("_rehearsal/snapshots"),
    [api],
    ["session", "snapshot"],
  );
  const path = (of: string) => `_rehearsal/snapshots/${encodeURIComponent(of)}`;
  return (
    <>
      <h2>Snapshots</h2>
      {problem !== undefined && <Problem>{problem}</Problem>}
      <p class="buttons">
        <TextField label="Name" value={name} isShort />
        <Call
          label="Take a snapshot"
          call={{ method: "PUT", path: path(name.value) }}
          done={reload}
        />
      </p>
      <ul>
        {(data?.data ?? []).map((it) => (
          <li key={it.name} class="buttons">
            <bdi>{it.name}</bdi> <Time at={it.created_at} />
            <Call
              label={`Restore ${it.name}`}
              call={{ method: "POST", path: `${path(it.name)}/restore`, body: {} }}
              done={reload}
            />
            <Call
              label={`Forget ${it.name}`}
              call={{ method: "DELETE", path: path(it.name) }}
              done={reload}
            />
          </li>
        ))}
      </ul>
    </>
  );
}

function Sessions() {
  const { api, name } = session.value;
  const other = useSignal("");
  const { data, problem, reload } = useLoaded(
    () => api.get<List<SessionSummary>>("_rehearsal/sessions"),
    [api],
    ["session"],
  );
  const leave = () => {
    location.hash = formatRoute({ session: DEFAULT_SESSION, view: { page: "session" } });
  };
  const address = (of: string) => formatRoute({ session: of, view: { page: "runs" } });
  return (
    <>
      <h2>Sessions</h2>
      {problem !== undefined && <Problem>{problem}</Problem>}
      <p class="buttons">
        <Call
          label={`Reset ${name}`}
          call={{ method: "POST", path: "_rehearsal/reset", body: {} }}
          done={reload}
        />
        <TextField label="Another session" value={other} isShort />
        {other.value !== "" && (
          <a class="button" href={address(other.value)}>
            Go to {other.value}
          </a>
        )}
      </p>
      <ul class="sessions">
        {(data?.data ?? []).map((it) => (
          <li key={it.name}>
            <a href={address(it.name)} aria-current={it.name === name ? "true" : undefined}>
              {it.name}
            </a>{" "}
            <span class="hint">
              {it.counts.runs} runs, {it.counts.threads} threads, {it.requests} requests
              {it.unmatched > 0 && `, ${it.unmatched} unmatched`}
            </span>{" "}
            {it.name !== DEFAULT_SESSION && (
              <Call
                label={`Delete ${it.name}`}
                call={{ method: "DELETE", path: `_rehearsal/sessions/${it.name}` }}
                done={() => (it.name === name ? leave() : reload())}
              />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
