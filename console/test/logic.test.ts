import assert from "node:assert/strict";
import { test } from "node:test";
import { callAs } from "../src/call_as";
import { asText, EventLog } from "../src/event_log";
import { faultYaml, NO_FAULT } from "../src/fault_form";
import { mergeMessage, mergeStep } from "../src/merge";
import { exampleOf, expectedOutput } from "../src/outputs";
import { formatRoute, parseRoute, type Route } from "../src/route";
import { type SseEvent, SseParser } from "../src/sse";
import { timeline } from "../src/timeline";
import type { Message, Run, Step } from "../src/types";

test("the parser reads the same events for every split of the text", () => {
  const text =
    ": hello\n\nevent: a\r\ndata: {\n\r\ndata: 1\n\nevent: ignored\n\ndata:x\n\ndata: lost";
  for (const size of [1, 2, 7, 1000]) {
    const parser = new SseParser();
    const events: SseEvent[] = [];
    for (let at = 0; at < text.length; at += size)
      events.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(events, [
      { name: "a", data: "{" },
      { name: "message", data: "1" },
      { name: "message", data: "x" },
    ]);
  }
});

test("an address names a session and a view, and both stay the same when it is read", () => {
  const routes: Route[] = [
    { session: "default", view: { page: "runs" } },
    { session: "default", view: { page: "thread", thread: "thread_1" } },
    { session: "worker-3", view: { page: "new" } },
    { session: "a.b", view: { page: "thread", thread: "thread_1/?#" } },
  ];
  for (const route of routes) assert.deepEqual(parseRoute(formatRoute(route)), route);
  assert.equal(formatRoute(routes[1] as Route), "#/threads/thread_1");
  assert.equal(formatRoute(routes[2] as Route), "#/s/worker-3/new");
  for (const odd of ["", "#", "#/nothing", "#/threads", "#/s", "#/threads/%E0%A4%A"]) {
    assert.equal(parseRoute(odd).session, "default");
  }
});

function message(id: string, run: string | null, at: number): Message {
  const role = run === null ? "user" : "assistant";
  return { id, run_id: run, created_at: at, role, assistant_id: null, thread_id: "t", content: [] };
}

const run = (id: string, at: number) => ({ id, created_at: at }) as Run;

function step(id: string, of: string, writes?: string): Step {
  const type = writes === undefined ? "tool_calls" : "message_creation";
  const details = writes === undefined ? {} : { message_creation: { message_id: writes } };
  const step_details = { type, ...details };
  return { id, run_id: of, thread_id: "t", created_at: 0, type, status: "completed", step_details };
}

function order(messages: Message[], runs: Run[], steps: Step[] = []): string {
  const items = timeline(messages, runs, (id) => steps.filter((it) => it.run_id === id));
  return items.map((it) => it.key).join(" ");
}

test("steps come before the message that the run writes after them", () => {
  const messages = [message("u", null, 1), message("m1", "r", 1), message("m2", "r", 1)];
  const steps = [
    step("s1", "r"),
    step("w1", "r", "m1"),
    step("s2", "r"),
    step("w2", "r", "m2"),
    step("s3", "r"),
  ];
  assert.equal(order(messages, [run("r", 1)], steps), "u r s1 m1 s2 m2 s3");
});

test("runs without a message keep their place", () => {
  const messages = [
    message("u1", null, 1),
    message("u2", null, 5),
    message("m2", "r2", 6),
    message("u3", null, 9),
  ];
  assert.equal(order(messages, [run("r1", 2), run("r2", 5), run("r3", 9)]), "u1 r1 u2 r2 m2 u3 r3");
  assert.equal(order([message("u", null, 1)], [run("r", 1)], [step("s", "r")]), "u r s");
  // Within one second, the text shows which message a run answers.
  const said = (it: Message, value: string) => ({
    ...it,
    content: [{ type: "text", text: { value, annotations: [] } }],
  });
  const quick = [said(message("u1", null, 1), "one"), said(message("u2", null, 1), "two")];
  const asked = (id: string) => (id === "r1" ? "one" : "two");
  const items = timeline(quick, [run("r1", 1), run("r2", 1)], () => [], asked);
  assert.equal(items.map((it) => it.key).join(" "), "u1 r1 u2 r2");
  // Without the texts, no item is lost or duplicated.
  const same = [message("u1", null, 1), message("u2", null, 1), message("m", "r2", 1)];
  assert.deepEqual(
    order(same, [run("r1", 1), run("r2", 1)])
      .split(" ")
      .sort(),
    ["m", "r1", "r2", "u1", "u2"],
  );
  // A message of a run that is not in the list.
  assert.equal(order([message("m", "gone", 1)], []), "m");
});

test("deltas extend the existing objects", () => {
  const text = (value: string) => ({ index: 0, type: "text", text: { value, annotations: [] } });
  let said = message("m", "r", 1);
  for (const piece of ["Hel", "lo"])
    said = mergeMessage(said, { id: "m", delta: { content: [text(piece)] } });
  assert.equal(said.content[0]?.text?.value, "Hello");
  const call = (args: string) => ({
    id: "c",
    index: 0,
    type: "function",
    function: { name: "f", arguments: args, output: null },
  });
  let did = step("s", "r");
  for (const piece of ['{"a"', ":1}"]) {
    did = mergeStep(did, {
      id: "s",
      delta: { step_details: { type: "tool_calls", tool_calls: [call(piece)] } },
    });
  }
  assert.equal(did.step_details.tool_calls?.[0]?.function?.arguments, '{"a":1}');
});

test("the form of a call starts with the keys that the reply reads", () => {
  const paths = ["weather.now.temperature", "weather.now.sky", "weather.place", "other.x", "whole"];
  assert.equal(
    JSON.stringify(expectedOutput("weather", paths)),
    '{"now":{"temperature":"","sky":""},"place":""}',
  );
  assert.equal(JSON.stringify(expectedOutput("f", ["f.__proto__.x"])), '{"__proto__":{"x":""}}');
  assert.equal(({} as { x?: string }).x, undefined);
  assert.equal(expectedOutput("whole", paths), undefined);
  assert.equal(expectedOutput("none", paths), undefined);
  const schema = {
    type: "object",
    properties: {
      a: { type: "integer" },
      b: { type: ["string", "null"] },
      c: { type: "array", items: { enum: ["x"] } },
      d: { default: 7 },
    },
  };
  assert.deepEqual(exampleOf(schema), { a: 0, b: "", c: ["x"], d: 7 });
});

test("the log finds the run of a delta, and puts the end of a stream last", async () => {
  const log = new EventLog();
  const event = (name: string, data: object) => ({ name, data: JSON.stringify(data) });
  log.end("run_1", { name: "done", data: "[DONE]" }, 5);
  log.take(event("thread.run.created", { id: "run_1", object: "thread.run" }), 10);
  log.take(event("thread.message.created", { id: "msg_1", run_id: "run_1" }), 12);
  log.take(event("thread.message.created", { id: "msg_2", run_id: "run_2" }), 13);
  log.take(event("thread.message.delta", { id: "msg_1" }), 15);
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(
    log.of("run_1").map((it) => [it.name, it.at]),
    [
      ["thread.run.created", 0],
      ["thread.message.created", 2],
      ["thread.message.delta", 5],
      ["done", 5],
    ],
  );
  assert.equal(asText([{ name: "done", data: "[DONE]" }]), "event: done\ndata: [DONE]\n\n");
  log.clear();
  assert.deepEqual(log.of("run_1"), []);
});

test("the form of a fault makes a fixture", () => {
  assert.equal(
    faultYaml(NO_FAULT),
    'faults:\n  - {"when":{"method":"POST","path":"/v1/threads/**","stream":true},"times":1,"disconnect":{"events":3}}\n',
  );
  const late = { ...NO_FAULT, effect: "delay", amount: "2s", method: "", times: "" } as const;
  assert.equal(faultYaml(late), 'faults:\n  - {"when":{"path":"/v1/threads/**"},"delay":"2s"}\n');
});

test("a copied request quotes all values", () => {
  const body = { a: 'it\'s "x"', b: [true, null] };
  const call = { method: "POST", path: "v1/threads", body } as const;
  const [base, baseURL] = ["http://h/s/a/", "http://h/s/a/v1"];
  const curl = callAs("curl", call, base, baseURL);
  assert.ok(curl.includes("'http://h/s/a/v1/threads'") && curl.includes("it'\\''s"), curl);
  const python = callAs("Python", call, base, baseURL);
  assert.ok(python.includes('client.post("/threads", cast_to=object, body={"a": "it\'s'), python);
  assert.ok(python.includes("[True, None]"), python);
  const clock = { method: "GET", path: "_rehearsal/clock" } as const;
  const node = callAs("Node", clock, base, baseURL);
  assert.ok(node.includes('client.get("http://h/s/a/_rehearsal/clock")'), node);
});
