// The controls of the emulator on the page.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { converse, open, press, say, serve, stage, withBrowser } from "./stage.mjs";

withBrowser();

const BOTS = `
assistants:
  - {id: asst_a, name: Bot, model: gpt-4o, metadata: {tier: gold}}
  - {id: asst_b, name: Caller, model: gpt-4o, tools: [{type: function, function: {name: f}}]}
replies:
  - {name: once, times: 1, when: {message: Once}, steps: [{message: One}]}
  - {name: gold, when: {metadata: {tier: gold}, message: {contains: hello}}, steps: [{message: Gold}]}
  - {name: call, when: {tools: [f], message: Call}, steps: [{tool_calls: [{function: {name: f, arguments: {}}}]}, {message: Called}]}
  - {name: rest, when: {assistant: Bot}, steps: [{message: A long answer of several words}]}
`;
const menu = (page, name) =>
  page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();

test("a user finds the wrong reply, and corrects the input, without a run", async (t) => {
  const { page, client, control } = await stage(t, { fixtures: BOTS });
  const run = await converse(client, "asst_a", "Hello");
  await page.getByRole("link", { name: /Hello/ }).click();
  await page.getByRole("button", { name: "Why this reply?" }).press("Enter");
  await page.getByText("rest would answer").waitFor();
  const gold = page.locator(".judged > li").filter({ hasText: "gold" });
  assert.match(await gold.innerText(), /✗ message:[^]*only the case differs[^]*✓ metadata\.tier/);
  await page.getByLabel("Message", { exact: true }).fill("Say hello");
  await page.getByText("gold would answer").waitFor();
  await page.getByLabel("Metadata, as JSON").fill('{"tier": "tin"}');
  await page.getByText("rest would answer").waitFor();
  await page.getByLabel("Metadata, as JSON").fill("{");
  await page.getByRole("alert").waitFor();
  assert.equal((await control("/runs")).data.length, 1);
  assert.equal((await control("/runs")).data[0].run, run.id);
});

test("the page compares turns word by word, also from different sessions", async (t) => {
  const server = await serve(t, { fixtures: BOTS });
  await converse(server.client, "asst_a", "Say hello");
  await converse(server.client, "asst_a", "Say hello again");
  const worker = server.client.withOptions({ baseURL: `${server.url}/s/worker/v1` });
  await converse(worker, "asst_a", "Say goodbye");
  const page = await open(t, `${server.url}/#/turns`);
  const choose = (list, text) =>
    page.getByRole("group", { name: list }).getByRole("radio").and(page.getByLabel(text)).check();
  await choose("First: session default", /^Say hello\s*Bot/);
  await choose("Second: session default", /Say hello again/);
  await page.locator(".diff ins").filter({ hasText: "again" }).first().waitFor();
  await page.getByLabel("Session of the second").fill("worker");
  await page.getByLabel("Session of the second").press("Enter");
  await choose("Second: session worker", /Say goodbye/);
  await page.locator(".diff del").filter({ hasText: "hello" }).first().waitFor();
  await page.locator(".diff ins").filter({ hasText: "goodbye" }).first().waitFor();
});

test("the page shows responses with the items of their chain or their conversation", async (t) => {
  const fixtures = `
replies:
  - when: {message: {contains: weather}}
    steps:
      - tool_calls: [{function: {name: look, arguments: {city: Oslo}}}]
      - message: "It is {{ outputs.look }}."
  - steps: [{message: "You said {{ message }}."}]
`;
  const { client, url } = await serve(t, { fixtures });
  const ask = (body) => client.responses.create({ model: "gpt-4o", ...body });
  const first = await ask({ input: "The weather?" });
  const output = { type: "function_call_output", call_id: first.output[0].call_id, output: "cold" };
  await ask({ input: [output], previous_response_id: first.id });
  const conversation = await client.conversations.create();
  await ask({ input: "Good morning", conversation: conversation.id });
  const page = await open(t, url);
  await menu(page, "Responses");
  const questions = page.getByRole("list", { name: "Questions" });
  const items = page.getByRole("list", { name: "Items" });
  await questions.getByRole("button", { name: /The weather/ }).first().click();
  await items.getByText("It is cold.").waitFor();
  assert.match(await items.innerText(), /The weather\?[^]*calls look[^]*Oslo[^]*output[^]*cold/);
  await questions.getByRole("button", { name: /Good morning/ }).click();
  await items.getByText("You said Good morning.").waitFor();
  // A question that comes now is listed at once.
  await ask({ input: "And now?" });
  await questions.getByRole("button", { name: /And now/ }).waitFor();
});

test("a fault is added, applies once, and is removed", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS, path: "#/fixtures" });
  await page.getByText("Arm a fault").click();
  await press(page, "Arm it");
  const faults = page.getByRole("region", { name: "Faults" });
  await faults.getByText("added fixtures 1:2").waitFor();
  const { id: thread } = await client.beta.threads.create({ messages: [{ role: "user", content: "x" }] });
  const events = [];
  await assert.rejects(async () => {
    const stream = await client.beta.threads.runs.create(thread, { assistant_id: "asst_a", stream: true });
    for await (const event of stream) events.push(event.event);
  });
  assert.equal(events.length, 3);
  await faults.getByRole("cell", { name: "0", exact: true }).waitFor();
  await faults.getByRole("button", { name: "Remove document 1" }).press("Enter");
  await faults.waitFor({ state: "detached" });
});

test("the page shows the uses and the remaining uses of replies, and mistakes in a fixture", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS, forgiven: /422/ });
  await converse(client, "asst_a", "Once");
  await menu(page, "Fixtures");
  const once = page.getByRole("row", { name: /^once / });
  await once.getByRole("cell", { name: "1", exact: true }).waitFor();
  assert.deepEqual((await once.getByRole("cell").allInnerTexts()).slice(2, 4), ["1", "0"]);
  await page.getByText("Add a fixture to this session").click();
  const added = page.getByRole("textbox", { name: "Fixture" });
  await added.fill("replies: [{stps: []}]");
  await press(page, "Add it");
  await page.getByText("did you mean 'steps'").waitFor();
  await added.fill("replies: [{name: mine, steps: [{message: Mine}]}]");
  await press(page, "Add it");
  await page.getByRole("cell", { name: "mine", exact: true }).waitFor();
});

test("the page shows the diagnostics of a broken fixture file until it is correct again", async (t) => {
  const { page, file } = await stage(t, { fixtures: BOTS, args: ["--watch"], path: "#/fixtures" });
  await page.getByRole("cell", { name: "rest", exact: true }).waitFor();
  writeFileSync(file, BOTS.replace("steps:", "stps:"));
  await page.getByText("The fixture files are at fault.").waitFor();
  await page.getByRole("group", { name: "Diagnostics" }).getByText("did you mean 'steps'").waitFor();
  await page.getByRole("cell", { name: "rest", exact: true }).waitFor();
  writeFileSync(file, BOTS.replace("name: rest", "name: mended"));
  await page.getByRole("cell", { name: "mended", exact: true }).waitFor();
  assert.equal(await page.getByText("The fixture files are at fault.").count(), 0);
});

test("the page controls the clock, snapshots, the pace and sessions", async (t) => {
  const { page, client, control, url } = await stage(t, { fixtures: BOTS });
  await converse(client, "asst_b", "Call");
  await menu(page, "Session");
  await page.getByText("2026-01-01T12:00:00Z").waitFor();
  await page.getByRole("button", { name: "Take a snapshot" }).press("Enter");
  await page.getByRole("button", { name: "Restore before" }).waitFor();
  await page.getByLabel("Advance by").fill("11m");
  await page.getByRole("button", { name: "Advance", exact: true }).press("Enter");
  await page.getByText(/Fell due: .*thread\.run\.expired/).waitFor();
  assert.equal((await control("/runs")).data[0].status, "expired");
  await page.getByRole("button", { name: "Restore before" }).press("Enter");
  await page.getByText("2026-01-01T12:00:00Z").waitFor();
  assert.equal((await control("/runs")).data[0].status, "requires_action");
  await page.getByRole("button", { name: "Forget before" }).press("Enter");
  await page.getByRole("button", { name: "Restore before" }).waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Hold the next runs" }).press("Enter");
  await page.getByText("at the pace steps").waitFor();
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Bot");
  await say(page, "Step by step");
  for (const status of ["queued", "in_progress"]) {
    await page.locator(`.run-card .status.${status}`).waitFor();
    await press(page, "Step");
  }
  await page.locator(".run-card .status.completed").waitFor();

  await fetch(`${url}/s/worker/v1/models`, { headers: { authorization: "Bearer x" } });
  await menu(page, "Session");
  await page.getByRole("link", { name: "worker", exact: true }).waitFor();
  await page.getByRole("button", { name: "Delete worker" }).press("Enter");
  await page.getByRole("link", { name: "worker", exact: true }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Reset default" }).press("Enter");
  await menu(page, "Runs");
  await page.getByText("No run yet").waitFor();
});

test("the page changes, duplicates and deletes assistants", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS, path: "#/assistants", forgiven: /400/ });
  await page.getByRole("button", { name: "Edit Bot" }).press("Enter");
  await page.getByLabel("Instructions").fill("Be kind.");
  await page.getByLabel("file_search").check();
  await page.getByLabel("Functions, as a JSON list").fill('[{"name": "no blanks"}]');
  await press(page, "Save the assistant");
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Functions, as a JSON list").fill('[{"name": "look"}]');
  await press(page, "Save the assistant");
  await page.getByText("Be kind.").waitFor();
  const changed = await client.beta.assistants.retrieve("asst_a");
  assert.deepEqual(changed.tools.map((it) => it.type), ["file_search", "function"]);
  const card = page.getByRole("listitem").filter({ hasText: "asst_a" });
  await card.getByRole("button", { name: "Duplicate" }).press("Enter");
  await page.getByText("Bot (copy)", { exact: true }).waitFor();
  await card.getByRole("button", { name: "Delete" }).press("Enter");
  await card.waitFor({ state: "detached" });
  await assert.rejects(client.beta.assistants.retrieve("asst_a"), { status: 404 });
});

test("the page searches, exports and forks threads, and opens the thread of an id", async (t) => {
  const { page, client, url } = await stage(t, { fixtures: BOTS });
  const first = await converse(client, "asst_a", "Where is the heron?");
  await converse(client, "asst_a", "Where is the owl?");
  await menu(page, "Threads");
  await page.getByLabel(/Search in messages/).fill("HERON");
  const found = page.locator("main .run");
  await page.waitForFunction(() => document.querySelectorAll("main .run").length === 1);
  assert.match(await found.innerText(), /heron/);
  await page.getByLabel(/Search in messages/).fill(first.id);
  await page.waitForFunction(() => document.querySelector("main .run")?.textContent.includes("heron"));
  await page.getByLabel("Go to an id").fill(first.id);
  await page.getByLabel("Go to an id").press("Enter");
  await page.locator(".message").first().waitFor();
  assert.ok(page.url().endsWith(first.thread_id));
  await page.getByLabel("Go to an id").fill("run_none");
  await page.getByLabel("Go to an id").press("Enter");
  await page.getByText("There is no such id.").waitFor();
  await page.locator(".title").getByText("More").click();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as a fixture" }).press("Enter");
  assert.match(readFileSync(await (await download).path(), "utf8"), /replies:[^]*A long answer/);
  await page.locator(".message.user").getByRole("button", { name: "Fork here" }).press("Enter");
  await page.waitForFunction((old) => !location.hash.endsWith(old), first.thread_id);
  const forked = new URL(page.url()).hash.split("/").at(-1);
  const { data } = await client.beta.threads.messages.list(forked);
  assert.deepEqual(data.map((it) => it.content[0].text.value), ["Where is the heron?"]);
  await page.goto(`${url}/#/threads`);
  await page.waitForFunction(() => document.querySelectorAll("main .run").length === 3);
});

test("the page adds files to a vector store, shows them, and searches them", async (t) => {
  const { page } = await stage(t, { fixtures: BOTS, path: "#/files" });
  await page.getByRole("button", { name: "New vector store" }).press("Enter");
  const store = page.getByRole("region", { name: "Vector store documents" });
  await store.evaluate((it) => {
    const files = new DataTransfer();
    files.items.add(new File(["Herons eat fish.\n\nOwls eat mice."], "birds.txt"));
    it.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
  });
  await store.getByText("1 of 1 files ready").waitFor();
  await store.getByText("birds.txt").first().click();
  await store.getByRole("group", { name: "Text of birds.txt" }).getByText("Herons eat fish.").waitFor();
  await store.getByText("1 chunks").waitFor();
  await store.getByText("from byte 0").click();
  await store.getByRole("group", { name: "Chunk from byte 0" }).getByText("Owls eat mice.").waitFor();
  await store.getByLabel("Search").fill("what do owls eat");
  await store.getByRole("button", { name: "Try it" }).press("Enter");
  await store.locator("mark").getByText("Owls").waitFor();
  assert.ok(Number(await store.locator("meter").first().getAttribute("value")) > 0);
});

test("the journal has filters, and shows bodies", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS, path: "#/journal" });
  const run = await converse(client, "asst_a", "Hello there");
  await client.beta.assistants.retrieve("asst_none").catch(() => {});
  await converse(client, "asst_b", "Nobody answers");
  await page.getByText("/v1/assistants/asst_none").waitFor();
  await page.getByLabel("Status").fill("404");
  await page.waitForFunction(() => document.querySelectorAll(".entries > li").length === 1);
  await page.getByLabel("Status").fill("");
  await page.getByLabel("Run", { exact: true }).fill(run.id);
  await page.locator(".entries summary").filter({ hasText: "POST" }).first().click();
  await page.getByRole("group", { name: "Request" }).getByText("Hello there").waitFor();
  await page.getByLabel("Run", { exact: true }).fill("");
  await page.getByLabel("unmatched runs only").check();
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".entries > li")].every((it) => !it.textContent.includes("asst_none")));
  await page.getByRole("button", { name: "Empty the journal" }).press("Enter");
  await page.getByText("No request.").waitFor();
});

test("the copied requests for curl, Python and Node have the same effect", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Bot");
  await page.getByLabel("Message", { exact: true }).fill("It's \"quoted\" & odd: $HOME `x` é");
  await page.locator(".composer").getByText("Copy as …").click();
  const run = promisify(execFile);
  for (const [name, command] of [
    ["curl", (text) => run("sh", ["-c", text])],
    ["Python", (text) => run(process.env.PYTHON ?? "python3", ["-W", "ignore", "-c", text])],
    ["Node", (text) => run("node", ["--input-type=module", "-e", text])],
  ]) {
    await page.locator(".composer").getByRole("button", { name }).click();
    await command(await page.evaluate(() => navigator.clipboard.readText()));
  }
  const { data } = await (await fetch(`${new URL(page.url()).origin}/_rehearsal/runs`)).json();
  assert.equal(data.length, 3);
  for (const { thread } of data) {
    const messages = await client.beta.threads.messages.list(thread, { order: "asc" });
    assert.equal(messages.data[0].content[0].text.value, "It's \"quoted\" & odd: $HOME `x` é");
  }
});
