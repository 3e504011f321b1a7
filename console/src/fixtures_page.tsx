/** The fixtures: replies with their uses, active faults, mistakes in the files. */
import { useSignal } from "@preact/signals";
import { addFixture } from "./api";
import { Call } from "./call";
import { CopyAs } from "./copy_as";
import { type FaultForm, faultYaml, NO_FAULT } from "./fault_form";
import { TextArea } from "./fields";
import { useLoaded } from "./loaded";
import { OnServer } from "./on_server";
import { session } from "./state";
import type { LoadedFault, LoadedReply } from "./types";
import { Action, Box, Problem } from "./ui";

interface FixtureList {
  data: LoadedReply[];
  faults: LoadedFault[];
  broken: string | null;
}

export function FixturesPage() {
  const { api } = session.value;
  const changes = ["fixtures", "thread.run", "request", "session", "snapshot"];
  const { data, problem, reload } = useLoaded(
    () => api.get<FixtureList>("_rehearsal/fixtures"),
    [api],
    changes,
  );
  return (
    <section class="page" aria-label="Fixtures">
      <h1>Fixtures</h1>
      {problem !== undefined && <Problem>{problem}</Problem>}
      {data?.broken && (
        <>
          <Problem>The fixture files are at fault. The last good ones go on.</Problem>
          <Box text={data.broken} label="Diagnostics" />
        </>
      )}
      {data !== undefined && (
        <>
          <Table title="Replies" parts={data.data} reload={reload} />
          <h2>Faults</h2>
          <Table title="Faults" parts={data.faults} reload={reload} />
        </>
      )}
      <OnServer>
        <ArmFault reload={reload} />
        <AddFixture reload={reload} />
      </OnServer>
    </section>
  );
}

function Table(props: { title: string; parts: LoadedFault[]; reload: () => void }) {
  const { title, parts, reload } = props;
  if (parts.length === 0) return <p class="hint">There are none.</p>;
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={title}>
      <table class="list">
        <thead>
          <tr>
            <th>name</th>
            <th>place</th>
            <th>used</th>
            <th>left</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {parts.map((part) => (
            <tr key={`${part.file}:${part.line}`}>
              <td>
                <bdi>{part.name ?? "—"}</bdi>
              </td>
              <td>
                <code>
                  {part.file}:{part.line}
                </code>
              </td>
              <td>{part.hits}</td>
              <td>{part.times === null ? "any" : Math.max(part.times - part.hits, 0)}</td>
              <td>
                {part.document !== null && (
                  <Call
                    label={`Remove document ${part.document}`}
                    call={{ method: "DELETE", path: `_rehearsal/fixtures/${part.document}` }}
                    done={reload}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Activates a fault for the next requests. */
function ArmFault({ reload }: { reload: () => void }) {
  const { api } = session.value;
  const form = useSignal<FaultForm>(NO_FAULT);
  const set = (change: Partial<FaultForm>) => {
    form.value = { ...form.value, ...change };
  };
  const arm = async () => {
    await api.addFixtures(faultYaml(form.value));
    reload();
  };
  const { effect, amount } = form.value;
  const text = (key: "method" | "path" | "times" | "amount", label: string) => (
    <label>
      {label}
      <input
        value={form.value[key]}
        onInput={(event) => set({ [key]: event.currentTarget.value })}
      />
    </label>
  );
  const unit = { respond: "Status", events: "After events", bytes: "After bytes", delay: "Delay" };
  return (
    <details>
      <summary>Arm a fault</summary>
      <div class="fields">
        <label>
          Effect
          <select
            value={effect}
            onChange={(event) => {
              const chosen = event.currentTarget.value as FaultForm["effect"];
              const amounts = { respond: "503", events: "3", bytes: "10", delay: "2s" };
              set({ effect: chosen, amount: amounts[chosen] });
            }}
          >
            <option value="events">break a stream off</option>
            <option value="respond">answer with an error</option>
            <option value="bytes">break an answer off</option>
            <option value="delay">answer late</option>
          </select>
        </label>
        {text("amount", unit[effect])}
        {text("method", "Method")}
        {text("path", "Path (* and ** fit anything)")}
        {text("times", "For the next requests")}
      </div>
      <p class="buttons">
        <Action isMain act={arm} isDisabled={amount === ""}>
          Arm it
        </Action>
        <CopyAs call={() => addFixture(faultYaml(form.value))} />
      </p>
      <Box text={faultYaml(form.value)} label="The fault as a fixture" />
    </details>
  );
}

/** Adds a document to the session, and shows its mistakes. */
function AddFixture({ reload }: { reload: () => void }) {
  const { api } = session.value;
  const text = useSignal("replies:\n  - name: mine\n    steps:\n      - message: Hello\n");
  const add = async () => {
    await api.addFixtures(text.value);
    reload();
  };
  return (
    <details>
      <summary>Add a fixture to this session</summary>
      <TextArea label="Fixture" value={text} />
      <p class="buttons">
        <Action isMain act={add}>
          Add it
        </Action>
        <CopyAs call={() => addFixture(text.value)} />
      </p>
    </details>
  );
}
