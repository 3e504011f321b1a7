/** The start of a report: the expectations, and the sessions in it. */
import { useLoaded } from "./loaded";
import { expectations, isCut } from "./report";
import { formatRoute } from "./route";
import { session } from "./state";
import type { List, SessionSummary } from "./types";
import { Box } from "./ui";

export function ReportSummary() {
  const { api } = session.value;
  const { data } = useLoaded(() => api.get<List<SessionSummary>>("_rehearsal/sessions"), [api]);
  const expected = expectations();
  const sessions = (data?.data ?? []).filter((it) => (it.counts.runs ?? 0) > 0);
  return (
    <section class="page" aria-label="Report">
      <h1>Rehearsal report</h1>
      {expected.length > 0 && (
        <>
          <h2>Expectations</h2>
          <ul class="judged">
            {expected.map((it, place) => (
              <li key={place} class={it.passed ? "holds" : "misses"}>
                {it.passed ? "✓" : "✗"} <code>{JSON.stringify(it.expectation)}</code>
                {it.difference !== undefined && it.difference !== null && (
                  <Box text={it.difference} label="Difference" />
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      {isCut() && (
        <p class="hint">
          The report has no room for everything: some threads of the last sessions are not inside.
        </p>
      )}
      <h2>Sessions</h2>
      {sessions.length === 0 && <p class="hint">There were no runs.</p>}
      <ul class="sessions">
        {sessions.map((it) => (
          <li key={it.name}>
            <a href={formatRoute({ session: it.name, view: { page: "runs" } })}>{it.name}</a>{" "}
            <span class="hint">
              {it.counts.runs} runs, {it.counts.threads} threads
              {it.unmatched > 0 && `, ${it.unmatched} unmatched`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
