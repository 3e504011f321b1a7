// Files, uploads, vector stores and the tools that use them, with the official Node client.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import OpenAI, { toFile } from "openai";

const client = new OpenAI();
const { assistants, threads } = client.beta;
const stores = client.vectorStores;

const upload = async (name, content, purpose = "assistants") =>
  client.files.create({ file: await toFile(Buffer.from(content), name), purpose });

test("files", async () => {
  const file = await upload("notes.txt", "Hello", "vision");
  assert.equal(file.bytes, 5);
  assert.equal((await client.files.retrieve(file.id)).filename, "notes.txt");
  assert.equal(await (await client.files.content(file.id)).text(), "Hello");
  const seen = [];
  for await (const one of client.files.list({ purpose: "vision", limit: 1 })) seen.push(one.id);
  assert(seen.includes(file.id));
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
});

test("uploads by parts", async () => {
  const content = Buffer.from("0123456789".repeat(1000));
  const { id } = await client.uploads.create({ filename: "big.txt", purpose: "assistants", bytes: content.length, mime_type: "text/plain" });
  const part_ids = [];
  for (let at = 0; at < content.length; at += 4000) {
    const data = await toFile(content.subarray(at, at + 4000), "part");
    part_ids.push((await client.uploads.parts.create(id, { data })).id);
  }
  const md5 = createHash("md5").update(content).digest("hex");
  const done = await client.uploads.complete(id, { part_ids, md5 });
  assert.equal(done.status, "completed");
  assert.equal(done.file.bytes, content.length);
});

test("vector stores", async () => {
  const store = await stores.create({ name: "Docs" });
  const tea = await stores.files.uploadAndPoll(store.id, await toFile(Buffer.from("Green tea is brewed at 80 degrees."), "tea.md"));
  assert.equal(tea.status, "completed");
  const files = await Promise.all([
    toFile(Buffer.from("Coffee is brewed at 95 degrees."), "coffee.txt"),
    toFile(Buffer.from("We open at nine."), "shop.txt"),
  ]);
  const batch = await stores.fileBatches.uploadAndPoll(store.id, { files });
  assert.deepEqual([batch.status, batch.file_counts.completed], ["completed", 2]);
  const found = await stores.search(store.id, { query: "How hot for green tea?" });
  assert.equal(found.data[0].filename, "tea.md");
  assert.match(found.data[0].content[0].text, /80 degrees/);
  const seen = [];
  for await (const one of stores.files.list(store.id, { limit: 1 })) seen.push(one.id);
  assert.equal(seen.length, 3);
  assert.equal((await stores.delete(store.id)).deleted, true);
});

test("retrieval with a citation", async () => {
  const document = await upload("policy.html", "<h1>Policy</h1><p>Refunds are paid within 14 days.</p>");
  const assistant = await assistants.create({
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_stores: [{ file_ids: [document.id] }] } },
  });
  const stream = threads.createAndRunStream({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "How fast are refunds paid?" }] },
  });
  assert.equal((await stream.finalRun()).status, "completed");
  const { text } = (await stream.finalMessages())[0].content[0];
  assert.match(text.value, /Refunds are paid within 14 days\./);
  const [citation] = text.annotations;
  assert.equal(citation.file_citation.file_id, document.id);
  assert.equal([...text.value].slice(citation.start_index, citation.end_index).join(""), citation.text);
});

test("code interpreter draws a PNG", async () => {
  const table = await upload("sales.csv", "month,sales\n1,2\n");
  const assistant = await assistants.create({
    model: "gpt-4o",
    tools: [{ type: "code_interpreter" }],
    tool_resources: { code_interpreter: { file_ids: [table.id] } },
  });
  const thread = await threads.create({ messages: [{ role: "user", content: "Draw a chart of my sales" }] });
  const images = [];
  const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id }).on("imageFileDone", (image) => images.push(image.file_id));
  assert.equal((await stream.finalRun()).status, "completed");
  const [image, text] = (await stream.finalMessages())[0].content;
  assert.match(text.text.value, /sales\.csv/);
  assert.deepEqual(images, [image.image_file.file_id]);
  const png = Buffer.from(await (await client.files.content(image.image_file.file_id)).arrayBuffer());
  assert.equal(png.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
});
