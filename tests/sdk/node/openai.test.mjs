// The official Node client, unchanged but for its base URL.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import OpenAI from "openai";

const OUTPUTS = { getCurrentWeather: "21 degrees", getNickname: "Fog City" };
const tools = Object.keys(OUTPUTS).map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { location: { type: "string" } } } },
}));

const client = new OpenAI();
const { assistants, threads } = client.beta;
let assistant;

before(async () => {
  assistant = await assistants.create({ model: "gpt-4o", name: "Math Tutor", instructions: "You are a math tutor." });
});

const ask = (content) => threads.create({ messages: [{ role: "user", content }] });

const outputs = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({ tool_call_id: call.id, output: OUTPUTS[call.function.name] }));

test("create and poll", async () => {
  const thread = await ask("I need to solve the equation `3x + 11 = 14`.");
  const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id, instructions: "Please address the user as Jane Doe." });
  assert.equal(run.status, "completed");
  const messages = await threads.messages.list(thread.id, { order: "asc" });
  assert.match(messages.data[1].content[0].text.value, /Jane Doe/);
  assert.equal(messages.data[2].content[0].text.value, "x = 1");
});

test("stream with event handlers", async () => {
  const thread = await ask("Hello there");
  let text = "";
  const seen = [];
  const stream = threads.runs
    .stream(thread.id, { assistant_id: assistant.id })
    .on("textDelta", (delta) => (text += delta.value))
    .on("messageDone", () => seen.push("message"))
    .on("runStepDone", () => seen.push("step"));
  const run = await stream.finalRun();
  assert.equal(run.status, "completed");
  assert.equal(text, "Hello! How can I help you today?");
  assert.deepEqual(seen, ["message", "step"]);
  assert.equal((await stream.finalMessages())[0].content[0].text.value, text);
});

test("functions by polling", async () => {
  const thread = await ask("What's the weather in San Francisco?");
  let run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id, tools });
  assert.equal(run.status, "requires_action");
  run = await threads.runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs: outputs(run) });
  assert.equal(run.status, "completed");
  const messages = await threads.messages.list(thread.id);
  assert.equal(messages.data[0].content[0].text.value, "The weather in San Francisco, also known as Fog City: 21 degrees");
});

test("functions by streaming", async () => {
  const thread = await ask("What's the weather in Oslo?");
  const calls = [];
  const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id, tools }).on("toolCallDone", (call) => calls.push(call));
  const run = await stream.finalRun();
  assert.equal(run.status, "requires_action");
  let text = "";
  const rest = threads.runs
    .submitToolOutputsStream(run.id, { thread_id: thread.id, tool_outputs: outputs(run) })
    .on("textDelta", (delta) => (text += delta.value));
  assert.equal((await rest.finalRun()).status, "completed");
  assert.equal(text, "The weather in Oslo, also known as Fog City: 21 degrees");
});

test("code interpreter by streaming", async () => {
  const calls = [];
  const stream = threads
    .createAndRunStream({
      assistant_id: assistant.id,
      tools: [{ type: "code_interpreter" }],
      thread: { messages: [{ role: "user", content: "Solve 3x + 11 = 14" }] },
    })
    .on("toolCallDone", (call) => calls.push(call));
  assert.equal((await stream.finalRun()).status, "completed");
  assert.match(calls[0].code_interpreter.input, /solve\(Eq\(3 \* x \+ 11, 14\), x\)/);
});

test("cancel", async () => {
  const thread = await ask("Hang on.");
  const run = await threads.runs.create(thread.id, { assistant_id: assistant.id });
  assert.equal(run.status, "queued");
  await assert.rejects(threads.messages.create(thread.id, { role: "user", content: "Hello" }), OpenAI.BadRequestError);
  assert.equal((await threads.runs.cancel(run.id, { thread_id: thread.id })).status, "cancelling");
  assert.equal((await threads.runs.poll(run.id, { thread_id: thread.id })).status, "cancelled");
});

test("pages in both directions", async () => {
  const thread = await threads.create({ messages: Array.from({ length: 25 }, (_, n) => ({ role: "user", content: String(n) })) });
  for (const order of ["asc", "desc"]) {
    const seen = [];
    for await (const message of threads.messages.list(thread.id, { limit: 10, order })) seen.push(Number(message.content[0].text.value));
    const expected = Array.from({ length: 25 }, (_, n) => n);
    assert.deepEqual(seen, order === "asc" ? expected : expected.reverse());
  }
  const first = await threads.messages.list(thread.id, { limit: 10, order: "asc" });
  const second = await first.getNextPage();
  const again = await threads.messages.list(thread.id, { limit: 10, order: "asc", before: second.data[0].id });
  assert.deepEqual(again.data, first.data);
});

test("every class of error", async () => {
  await assert.rejects(threads.retrieve("thread_nobody"), (error) => {
    assert(error instanceof OpenAI.NotFoundError);
    assert.equal(error.message, "404 No thread found with id 'thread_nobody'.");
    return error.requestID.startsWith("req_");
  });
  await assert.rejects(assistants.create({ model: "gpt-4o", temperature: 3 }), (error) => {
    assert(error instanceof OpenAI.BadRequestError);
    return error.param === "temperature" && error.code === "decimal_above_max_value";
  });
  const stranger = new OpenAI({ apiKey: "sk-wrong" });
  await assert.rejects(stranger.beta.threads.create(), OpenAI.AuthenticationError);
  await assert.rejects(client.get("/threads", { headers: { "OpenAI-Beta": "assistants=v2" } }), OpenAI.PermissionDeniedError);
  await assert.rejects(client.delete("/models"), (error) => error.status === 405);
});
