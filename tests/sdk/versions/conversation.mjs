// One conversation with the Assistants API, with the installed version of the npm package `openai`.
//
// It reads OPENAI_BASE_URL and OPENAI_API_KEY. With the argument `azure`, it reads
// AZURE_OPENAI_ENDPOINT, OPENAI_API_VERSION and AZURE_OPENAI_API_KEY (or else OPENAI_API_KEY). It
// prints the completed parts.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import * as openai from "openai";
import { VERSION } from "openai/version";

const { OpenAI, toFile } = openai;
const { AZURE_OPENAI_API_KEY, OPENAI_API_KEY } = process.env;
const client =
  process.argv[2] === "azure"
    ? new openai.AzureOpenAI({
        apiKey: AZURE_OPENAI_API_KEY ?? OPENAI_API_KEY,
        baseURL: null, // otherwise OPENAI_BASE_URL would override AZURE_OPENAI_ENDPOINT
      })
    : new OpenAI();
const { assistants, threads } = client.beta;

// The first versions use the v1 beta: assistants have files of their own, and search them with
// `retrieval`. These versions cannot stream runs.
const v1 = "files" in assistants;
// That beta does not have later models.
const model = v1 ? "gpt-4-turbo" : "gpt-4o";
const streams = "stream" in threads.runs;
// Since version 5, the parents of an object are parameters: `retrieve(run, { thread_id })`.
const within = Number(VERSION.split(".")[0]) >= 5;

const equation = "I need to solve the equation `3x + 11 = 14`. Can you help me?";
const instructions = "Please address the user as Jane Doe.";
const OUTPUTS = { getCurrentWeather: "21 degrees", getNickname: "Fog City" };
const parameters = { type: "object", properties: { location: { type: "string" } }, required: ["location"] };
const functions = Object.keys(OUTPUTS).map((name) => ({ type: "function", function: { name, parameters } }));

async function ask(content) {
  const thread = await threads.create();
  const message = await threads.messages.create(thread.id, { role: "user", content });
  assert.deepEqual([message.role, message.content[0].text.value], ["user", content]);
  return thread.id;
}

// Polls without a helper: the first versions have none.
async function wait(run) {
  for (let polls = 0; polls < 100; polls++) {
    if (run.status !== "queued" && run.status !== "in_progress") return run;
    await sleep(50);
    run = await (within ? threads.runs.retrieve(run.id, { thread_id: run.thread_id }) : threads.runs.retrieve(run.thread_id, run.id));
  }
  assert.fail(JSON.stringify(run));
}

async function all(pages) {
  const objects = [];
  for await (const object of pages) objects.push(object);
  return objects;
}

// The texts of the assistant's messages, oldest first.
async function answers(thread) {
  const messages = await all(threads.messages.list(thread, { order: "asc" }));
  return messages.filter((message) => message.role === "assistant").map((message) => message.content[0].text);
}

async function plain(tutor) {
  const thread = await ask(equation);
  const run = await wait(await threads.runs.create(thread, { assistant_id: tutor.id, instructions }));
  assert.equal(run.status, "completed");
  const [first, last] = await answers(thread);
  assert.match(first.value, /Jane Doe/);
  assert.equal(last.value, "x = 1");
  const steps = await all(within ? threads.runs.steps.list(run.id, { thread_id: thread }) : threads.runs.steps.list(thread, run.id));
  assert.deepEqual(steps.map((step) => step.type), ["message_creation", "message_creation"]);
}

async function functionCall() {
  const bot = await assistants.create({ model, name: "Weather Bot", tools: functions });
  const thread = await ask("What's the weather in San Francisco?");
  let run = await wait(await threads.runs.create(thread, { assistant_id: bot.id }));
  assert.equal(run.status, "requires_action");
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  assert.deepEqual(calls.map((call) => call.function.name), Object.keys(OUTPUTS));
  assert.deepEqual(JSON.parse(calls[0].function.arguments), { location: "San Francisco" });
  const tool_outputs = calls.map((call) => ({ tool_call_id: call.id, output: OUTPUTS[call.function.name] }));
  run = await wait(
    await (within
      ? threads.runs.submitToolOutputs(run.id, { thread_id: thread, tool_outputs })
      : threads.runs.submitToolOutputs(thread, run.id, { tool_outputs })),
  );
  assert.equal(run.status, "completed");
  assert.equal((await answers(thread)).at(-1).value, "The weather in San Francisco, also known as Fog City: 21 degrees");
}

async function file() {
  const text = "Our refund policy.\n\nRefunds are paid within 14 days of the return.\n";
  const uploaded = await client.files.create({ file: await toFile(Buffer.from(text), "refunds.txt"), purpose: "assistants" });
  assert.deepEqual([uploaded.filename, uploaded.bytes], ["refunds.txt", text.length]);
  let bot;
  if (v1) {
    bot = await assistants.create({ model, name: "Support Bot", tools: [{ type: "retrieval" }], file_ids: [uploaded.id] });
    assert.deepEqual([bot.file_ids, bot.tools], [[uploaded.id], [{ type: "retrieval" }]]);
    assert.deepEqual((await all(assistants.files.list(bot.id))).map((one) => one.id), [uploaded.id]);
    assert.equal((await assistants.files.retrieve(bot.id, uploaded.id)).assistant_id, bot.id);
  } else {
    const store = await (client.vectorStores ?? client.beta.vectorStores).create({ name: "Policies", file_ids: [uploaded.id] });
    const tool_resources = { file_search: { vector_store_ids: [store.id] } };
    bot = await assistants.create({ model, name: "Support Bot", tools: [{ type: "file_search" }], tool_resources });
  }
  const thread = await ask("How fast are refunds paid?");
  const run = await wait(await threads.runs.create(thread, { assistant_id: bot.id }));
  assert.equal(run.status, "completed");
  const [answer] = await answers(thread);
  assert.match(answer.value, /Refunds are paid within 14 days of the return\./);
  assert.equal(answer.annotations.length, 1);
  const [{ type, file_citation, text: marker, start_index, end_index }] = answer.annotations;
  assert.deepEqual([type, file_citation.file_id], ["file_citation", uploaded.id]);
  assert.equal(answer.value.slice(start_index, end_index), marker);
  if (v1) {
    assert.match(file_citation.quote, /14 days/);
    assert.match(marker, /†source】$/);
  } else {
    assert.match(marker, /†refunds\.txt】$/);
  }
}

async function stream(tutor) {
  const thread = await ask(equation);
  const events = await all(await threads.runs.create(thread, { assistant_id: tutor.id, instructions, stream: true }));
  assert.equal(events[0].event, "thread.run.created");
  assert.equal(events.at(-1).event, "thread.run.completed");
  const deltas = events.filter(({ event }) => event === "thread.message.delta").map(({ data }) => data.delta.content[0].text.value ?? "");
  assert.equal(deltas.join(""), (await answers(thread)).map((answer) => answer.value).join(""));

  let text = "";
  const held = threads.runs
    .stream(await ask(equation), { assistant_id: tutor.id, instructions })
    .on("textDelta", (delta) => (text += delta.value ?? ""));
  assert.equal((await held.finalRun()).status, "completed");
  assert.equal(text, deltas.join(""));
  assert.equal((await held.finalMessages()).at(-1).content[0].text.value, "x = 1");
}

async function pages() {
  const numbers = Array.from({ length: 25 }, (_, number) => `Message ${number}`);
  const thread = await threads.create({ messages: numbers.map((content) => ({ role: "user", content })) });
  const listed = await all(threads.messages.list(thread.id, { limit: 10, order: "asc" }));
  assert.deepEqual(listed.map((message) => message.content[0].text.value), numbers);
  assert.equal(new Set(listed.map((message) => message.id)).size, 25);
}

const tutor = await assistants.create({ model, name: "Math Tutor", instructions: "You are a personal math tutor." });
await plain(tutor);
await functionCall();
await file();
if (streams) await stream(tutor);
await pages();
console.log(`openai ${VERSION}: plain, function, file,${streams ? " stream," : ""} pages`);
