// Texts of others stay texts, with any content. Long lists stay fast.
import assert from "node:assert/strict";
import { test } from "node:test";
import { converse, rows, stage, withBrowser } from "./stage.mjs";

withBrowser();

const EVIL = [
  "<script>window.hacked = 1</script>",
  '<img src=x onerror="window.hacked = 1">',
  "[click](javascript:window.hacked=1)",
  "![pixel](http://evil.example/pixel.png)",
  "[data](data:text/html,<script>window.hacked=1</script>)",
  "<a href='javascript:window.hacked=1'>link</a>",
  "\u202Eright to left",
  '"><svg onload=window.hacked=1>',
].join("\n\n");

test("no text becomes a script, a tag or an external image", async (t) => {
  const yaml = JSON.stringify({
    assistants: [{ id: "asst_evil", name: EVIL.slice(0, 200), model: "gpt-4o",
      tools: [{ type: "function", function: { name: "f" } }, { type: "code_interpreter" }] }],
    replies: [
      { name: EVIL, when: { message: { contains: "code" } }, steps: [
        { tool_calls: [{ code_interpreter: { input: EVIL, outputs: [{ logs: EVIL }] } }] }, { message: EVIL }] },
      { name: "call", when: { message: { contains: "call" } }, steps: [
        { tool_calls: [{ function: { name: "f", arguments: { text: EVIL } } }] }, { message: "{{ outputs.f }}" }] },
      { name: "refuse", when: { message: { contains: "refuse" } }, steps: [{ message: { refusal: EVIL } }] },
    ],
  });
  const { page, client, url, control } = await stage(t, { fixtures: yaml });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  for (const word of ["code", "call", "refuse", "nothing"]) {
    const run = await converse(client, "asst_evil", `${word} ${EVIL}`);
    if (run.status === "requires_action") {
      const tool_outputs = run.required_action.submit_tool_outputs.tool_calls.map((call) => ({
        tool_call_id: call.id, output: EVIL }));
      await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, { thread_id: run.thread_id, tool_outputs });
    }
    await page.goto(`${url}/#/threads/${run.thread_id}`);
    await page.locator(".run-card .status").first().waitFor();
    await page.locator(".message").last().waitFor();
    for (const summary of await page.locator("details > summary").all()) await summary.click();
    assert.equal(await page.locator("#app script, #app svg, .items img").count(), 0, word);
    const links = await page.locator("#app a").evaluateAll((all) => all.map((it) => it.protocol));
    assert.deepEqual([...new Set(links)].filter((it) => !["http:", "https:"].includes(it)), []);
    const shown = await page.locator(".message").first().textContent();
    assert.ok(shown.includes("<script>"), `${word}: ${shown}`);
  }
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(asked.filter((it) => !it.startsWith(url) && !it.startsWith("blob:")), []);
  // A response of the control API is not a page, either.
  assert.equal((await control("/runs")).object, "list");
});

test("an HTML file is only downloaded", async (t) => {
  const fixture = `
assistants: [{id: asst_a, name: Bot, model: gpt-4o, tools: [{type: code_interpreter}]}]
replies: [{steps: [{message: {text: "[it](sandbox:/mnt/data/page.html)", files: [{name: page.html, text: "<script>1</script>"}]}}]}]
`;
  const { page, client, url } = await stage(t, { fixtures: fixture });
  const run = await converse(client, "asst_a", "Hello");
  await page.goto(`${url}/#/threads/${run.thread_id}`);
  const download = page.waitForEvent("download");
  await page.locator(".message").getByRole("button", { name: "page.html" }).click();
  assert.equal((await download).suggestedFilename(), "page.html");
  assert.equal(page.context().pages().length, 1);
});

test("the page shows a word of 250,000 characters, and still works", async (t) => {
  const fixture = "assistants: [{id: asst_a, name: Bot, model: gpt-4o}]\nreplies: [{steps: [{message: '{{ message }}'}]}]\n";
  const { page, client, url } = await stage(t, { fixtures: fixture });
  const word = "w".repeat(250_000);
  const run = await converse(client, "asst_a", word);
  await page.goto(`${url}/#/threads/${run.thread_id}`);
  await page.locator(".message.assistant").waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `it is ${wide} px too wide`);
  await page.getByRole("link", { name: "Rehearsal", exact: true }).click();
  await rows(page).first().waitFor();
});

test("the page shows the start of a megabyte of output, and copies all of it", async (t) => {
  const code = { input: "print()", outputs: [{ logs: "l".repeat(1_000_000) }] };
  const assistants = [{ id: "asst_a", name: "Bot", model: "gpt-4o", tools: [{ type: "code_interpreter" }] }];
  const fixture = JSON.stringify({ assistants, replies: [{ steps: [{ tool_calls: [{ code_interpreter: code }] }] }] });
  const { page, client, url } = await stage(t, { fixtures: fixture });
  const run = await converse(client, "asst_a", "Hello");
  await page.goto(`${url}/#/threads/${run.thread_id}`);
  await page.getByText("950,000 more characters.").waitFor();
  await page.getByRole("button", { name: "Copy all" }).press("Enter");
  assert.equal(await page.evaluate(async () => (await navigator.clipboard.readText()).length), 1_000_000);
});

test("the page shows a thousand runs in pages, in a list that scrolls", async (t) => {
  const fixture = "assistants: [{id: asst_a, name: Bot, model: gpt-4o}]\nreplies: [{steps: [{message: Yes.}]}]\n";
  const { page, client } = await stage(t, { fixtures: fixture });
  const begin = (number) =>
    client.beta.threads.createAndRun({ assistant_id: "asst_a", thread: { messages: [{ role: "user", content: `Run ${number}` }] } });
  for (let number = 0; number < 1000; number += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, nth) => begin(number + nth)));
  }
  await converse(client, "asst_a", "The last one");
  await page.getByText("The last one").waitFor();
  assert.ok((await rows(page).count()) >= 100);
  await page.reload();
  await page.getByText("The last one").waitFor();
  assert.equal(await rows(page).count(), 100);
  for (let shown = 100; shown < 1001; shown = await rows(page).count()) {
    await page.getByRole("button", { name: "Older runs" }).click();
    await page.waitForFunction((before) => document.querySelectorAll(".runs .run").length > before, shown);
  }
  assert.equal(await rows(page).count(), 1001);
  // Only the visible part has a layout.
  const drawn = await page.locator(".runs .run a").evaluateAll(
    (all) => all.filter((it) => it.checkVisibility({ contentVisibilityAuto: true })).length);
  assert.ok(drawn < 1001);
});

test("a thread of ten thousand messages opens at its end, and loads older pages", async (t) => {
  const messages = Array.from({ length: 10_000 }, (_, nth) => ({ role: nth % 2 ? "assistant" : "user", content: `Message ${nth}` }));
  const fixture = JSON.stringify({ threads: [{ id: "thread_long", messages }] });
  const { page } = await stage(t, { fixtures: fixture, path: "#/threads/thread_long" });
  await page.getByText("Message 9999", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".item").length === 100);
  const scroll = page.getByRole("region", { name: "Conversation" });
  await page.waitForFunction(() => {
    const it = document.querySelector(".items");
    return it.scrollTop + it.clientHeight > it.scrollHeight - 100;
  });
  for (let shown = 100; shown < 400; shown += 100) {
    await scroll.hover();
    await page.mouse.wheel(0, -100_000);
    await page.waitForFunction((before) => document.querySelectorAll(".item").length > before, shown);
  }
  assert.match(await page.locator(".item").first().textContent(), /Message 9[3-6]00/);
});
