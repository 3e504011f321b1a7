// Responses and Conversations with the official Node client.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const client = new OpenAI();
const model = "gpt-5";
const look = {
  type: "function",
  name: "look",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const asked = [{ role: "user", content: "Look at the weather." }];

const outputs = (response) =>
  response.output
    .filter((item) => item.type === "function_call")
    .map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "cold" }));

test("create, retrieve, list input items, delete", async () => {
  const response = await client.responses.create({ model, input: "Hello" });
  assert.equal(response.output_text, "Hello! How can I help you today?");
  assert.equal((await client.responses.retrieve(response.id)).output_text, response.output_text);
  const items = await client.responses.inputItems.list(response.id);
  assert.deepEqual(items.data.map((item) => item.content[0].text), ["Hello"]);
  await client.responses.delete(response.id);
  await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
});

test("streams, by events and by the helper", async () => {
  const numbers = [];
  for await (const event of await client.responses.create({ model, input: "Hello", stream: true })) {
    numbers.push(event.sequence_number);
  }
  assert.deepEqual(numbers, [...numbers.keys()]);
  const stream = client.responses.stream({ model, input: "Hello" });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, "Hello! How can I help you today?");
});

test("structured output", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" } },
    required: ["name", "age"],
    additionalProperties: false,
  };
  const format = { type: "json_schema", name: "person", schema, strict: true };
  const parsed = await client.responses.parse({ model: "gpt-4o", input: "Who is it?", text: { format } });
  assert.equal(JSON.parse(parsed.output_text).name, "Ada");
});

test("the function loop, by chain, conversation and list", async () => {
  const first = await client.responses.create({ model, input: asked, tools: [look] });
  const chained = { model, previous_response_id: first.id, input: outputs(first), tools: [look] };
  assert.equal((await client.responses.create(chained)).output_text, "It is cold and cold.");

  const conversation = (await client.conversations.create()).id;
  const called = await client.responses.create({ model, input: asked, conversation, tools: [look] });
  const given = { model, input: outputs(called), conversation, tools: [look] };
  assert.equal((await client.responses.create(given)).output_text, "It is cold and cold.");

  const kept = { model, store: false, include: ["reasoning.encrypted_content"], tools: [look] };
  const unkept = await client.responses.create({ ...kept, input: asked });
  const input = [...asked, ...unkept.output, ...outputs(unkept)];
  assert.equal((await client.responses.create({ ...kept, input })).output_text, "It is cold and cold.");
});

test("background, cancel, and a resumed stream", async () => {
  const hanging = await client.responses.create({ model, input: "Hang on.", background: true });
  assert.equal((await client.responses.cancel(hanging.id)).status, "cancelled");
  const whole = [];
  const order = { model, input: "Hello", background: true, stream: true };
  for await (const event of await client.responses.create(order)) whole.push(event);
  const rest = [];
  const query = { stream: true, starting_after: 2 };
  for await (const event of await client.responses.retrieve(whole[0].response.id, query)) rest.push(event);
  assert.deepEqual(rest.map((event) => event.type), whole.slice(3).map((event) => event.type));
});

test("conversations and their items", async () => {
  const made = await client.conversations.create({ metadata: { a: "b" } });
  await client.conversations.items.create(made.id, { items: [{ role: "user", content: "Before" }] });
  await client.responses.create({ model, input: "Hello", conversation: made.id });
  const items = [];
  for await (const item of client.conversations.items.list(made.id, { limit: 1 })) items.push(item);
  assert.deepEqual(items.map((item) => item.role), ["assistant", "user", "user"]);
  const updated = await client.conversations.update(made.id, { metadata: { c: "d" } });
  assert.deepEqual(updated.metadata, { c: "d" });
  await client.conversations.items.delete(items[0].id, { conversation_id: made.id });
  assert.equal((await client.conversations.delete(made.id)).deleted, true);
});

test("a failure and a refusal", async () => {
  const failed = await client.responses.create({ model, input: "Fail." });
  assert.equal(failed.error.code, "rate_limit_exceeded");
  const stream = await client.responses.create({ model, input: "Fail.", stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, /Slow down/);
  const unknown = { model, input: "x", previous_response_id: "resp_none" };
  await assert.rejects(client.responses.create(unknown), { code: "previous_response_not_found" });
});

test("containers and their files", async () => {
  const made = await client.containers.create({ name: "Mine" });
  assert.deepEqual(await client.containers.retrieve(made.id), made);
  const upload = new File(["a,b"], "a.csv");
  const file = await client.containers.files.create(made.id, { file: upload });
  const of = { container_id: made.id };
  assert.equal((await client.containers.files.retrieve(file.id, of)).path, file.path);
  const content = await client.containers.files.content.retrieve(file.id, of);
  assert.equal(await content.text(), "a,b");
  await client.containers.files.delete(file.id, of);
  await client.containers.delete(made.id);
  await assert.rejects(client.containers.retrieve(made.id), OpenAI.NotFoundError);
});

test("a chain is compacted", async () => {
  const first = await client.responses.create({ model, input: "Hello" });
  const compacted = await client.responses.compact({ model, previous_response_id: first.id });
  assert.deepEqual(compacted.output.map((item) => item.type), ["message", "compaction"]);
});
