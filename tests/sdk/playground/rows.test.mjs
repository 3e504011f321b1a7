// The actions of a user on the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { converse, open, press, rows, say, serve, stage, withBrowser } from "./stage.mjs";

withBrowser();

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const BOTS = `
assistants:
  - {id: asst_any, name: Anyone, model: gpt-4o, tools: [{type: code_interpreter}, {type: file_search}],
     tool_resources: {file_search: {vector_store_ids: [vs_docs]}}}
  - {id: asst_other, name: Other, model: gpt-4o-mini}
  - id: asst_weather
    name: Weather Bot
    model: gpt-4o
    tools:
      - {type: function, function: {name: getWeather, parameters: {type: object, properties: {place: {type: string}}}}}
      - {type: function, function: {name: getName, parameters: {type: object}}}
files: [{id: file-policy, path: {name: policy.txt, text: "Refunds are possible within thirty days."}}]
vector_stores: [{id: vs_docs, files: [file-policy]}]
replies:
  - {name: hi, when: {message: Hi}, steps: [{message: "Hello **you**!"}]}
  - {name: long, when: {message: Count}, steps: [{message: "{% for n in range(400) %}one more {% endfor %}the end"}]}
  - name: weather
    when: {assistant: Weather Bot, message: {matches: 'in (?<city>\\w+)'}}
    steps:
      - tool_calls:
          - function: {name: getWeather, arguments: {place: "{{ city }}"}}
          - function: {name: getName, arguments: {place: "{{ city }}"}}
      - message: "It is {{ outputs.getWeather.now.temperature }} in {{ outputs.getName }}."
  - name: chart
    when: {message: {contains: chart}}
    steps:
      - tool_calls:
          - code_interpreter:
              input: print('drawn')
              outputs: [{logs: drawn}, {image: {name: chart.png, base64: ${PIXEL}}}]
      - message:
          text: "[The data](sandbox:/mnt/data/data.csv)"
          files: [{name: data.csv, text: "a,b"}]
          images: [{name: picture.png, base64: ${PIXEL}}]
  - name: refund
    when: {message: {contains: refund}}
    steps:
      - tool_calls: [{file_search: {}}]
      - message: {text: "Within thirty days{{ cite }}.", citations: auto}
  - {name: no, when: {message: Secret}, steps: [{message: {refusal: I cannot say.}}]}
`;

test("the page opens with the runs, newest first, and shows new runs at once", async (t) => {
  const server = await serve(t, { fixtures: BOTS });
  await converse(server.client, "asst_any", "Hi");
  await converse(server.client, "asst_any", "What is nobody's?");
  const page = await open(t, server.url);
  await rows(page).nth(1).waitFor();
  assert.equal(await rows(page).count(), 2);
  const [newest, older] = await rows(page).allInnerTexts();
  assert.match(newest, /Anyone[^]*What is nobody's\?[^]*queued → in_progress → failed[^]*no reply matched/);
  assert.match(older, /Hi[^]*queued → in_progress → completed[^]*hi/);
  const red = (row) => row.locator("a").evaluate((it) => getComputedStyle(it).backgroundColor);
  assert.notEqual(await red(rows(page).first()), await red(rows(page).nth(1)));
  await converse(server.client, "asst_other", "Hi");
  await rows(page).filter({ hasText: "Other" }).waitFor();
  assert.match((await rows(page).allInnerTexts())[0], /Other/);
});

test("a thread shows messages and steps in their order", async (t) => {
  const { page, client } = await stage(t, { fixtures: BOTS });
  const { thread_id: thread } = await converse(client, "asst_any", "Draw a chart");
  const more = async (content) => {
    await client.beta.threads.messages.create(thread, { role: "user", content });
    await client.beta.threads.runs.createAndPoll(thread, { assistant_id: "asst_any" });
  };
  await more("And the refund?");
  await more("Secret");
  await rows(page).first().getByRole("link").click();
  for (const late of ["I cannot say.", "⤓ data.csv", "policy.txt"]) {
    await page.getByText(late).first().waitFor();
  }
  const text = await page.getByRole("region", { name: "Conversation" }).textContent();
  const order = [
    ...["Draw a chart", "completed", "code_interpreter", "print('drawn')", "drawn", "data.csv"],
    ...["And the refund?", "completed", "file_search", "policy.txt", "thirty days", "Within thirty"],
    ...["Secret", "completed", "Refusal"],
  ];
  let place = 0;
  for (const word of order) {
    const found = text.indexOf(word, place);
    assert.ok(found >= 0, `${word} does not come where it should:\n${text}`);
    place = found;
  }
  await page.locator("figure img").nth(1).waitFor({ state: "attached" });
  const widths = page.locator("figure img").first().evaluate((it) => it.decode().then(() => it.naturalWidth));
  assert.equal(await widths, 1);
  const download = page.waitForEvent("download");
  await page.locator(".message").getByRole("button", { name: "data.csv" }).press("Enter");
  assert.equal(readFileSync(await (await download).path(), "utf8"), "a,b");
  await page.getByRole("button", { name: "Citation 1" }).press("Enter");
  await page.getByRole("dialog").getByText("Refunds are possible within thirty days.").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  assert.equal(await page.getByRole("dialog").count(), 0);
});

test("the composer runs any assistant, with overrides and files", async (t) => {
  const { page, client, url } = await stage(t, { fixtures: BOTS });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Other");
  await say(page, "Hi");
  await page.locator(".message.assistant").getByText("Hello you!").waitFor();
  assert.equal(await page.locator(".message.assistant strong").innerText(), "you");
  const thread = page.url().split("/").at(-1);
  await page.getByText("Run overrides").click();
  await page.getByLabel("Model").fill("gpt-4.1");
  await page.getByLabel("Instructions", { exact: true }).fill("Be brief.");
  await page.getByLabel("Tool choice").selectOption("none");
  await page.getByLabel("Temperature").fill("0.5");
  await page.getByLabel("Reply by name").fill("no");
  await page.getByLabel("Assistant").selectOption("Anyone");
  await page.locator(".composer").evaluate((form) => {
    const files = new DataTransfer();
    files.items.add(new File(["Some notes."], "notes.txt"));
    form.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
  });
  await page.getByText("notes.txt").waitFor();
  await say(page, "Anything");
  await page.getByText("I cannot say.").waitFor();
  const { data: [run] } = await client.beta.threads.runs.list(thread);
  assert.deepEqual(
    [run.assistant_id, run.model, run.instructions, run.tool_choice, run.temperature],
    ["asst_any", "gpt-4.1", "Be brief.", "none", 0.5],
  );
  const { data: messages } = await client.beta.threads.messages.list(thread, { order: "asc" });
  const [attached] = messages[2].attachments;
  assert.equal((await client.files.retrieve(attached.file_id)).filename, "notes.txt");
  // The address can be shared.
  const other = await open(t, `${url}/#/threads/${thread}`);
  await other.getByText("I cannot say.").waitFor();
});

test("the page shows a stream while it arrives", async (t) => {
  const { page, control } = await stage(t, { fixtures: BOTS, args: ["--pace", "realistic"] });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Other");
  await say(page, "Count");
  const answer = page.locator(".message.assistant");
  for (let shown = ""; !shown.includes("one more"); ) {
    await control("/clock", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"advance": "50ms"}',
    });
    shown = (await answer.count()) > 0 ? await answer.innerText() : "";
    assert.ok(!shown.includes("the end"), "it came all at once");
  }
  await control("/clock", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"advance": "1m"}',
  });
  await answer.getByText("the end").waitFor();
});

test("a run that waits has a form for each call, with the keys that its reply reads", async (t) => {
  const { page } = await stage(t, { fixtures: BOTS });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Weather Bot");
  await say(page, "Weather in Oslo");
  const output = page.getByLabel("Output of getWeather");
  await output.waitFor();
  await page.waitForFunction(() => document.querySelector(".calls textarea")?.value !== "");
  assert.deepEqual(JSON.parse(await output.inputValue()), { now: { temperature: "" } });
  assert.equal(await page.getByLabel("Output of getName").inputValue(), "");
  assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
  await output.fill('{"now": {"temperature": 7}}');
  await page.getByLabel("Output of getName").fill("the Tiger City");
  await press(page, "Submit outputs");
  await page.getByText("It is 7 in the Tiger City.").waitFor();
  await rows(page).filter({ hasText: "requires_action → queued → in_progress → completed" }).waitFor();

  await say(page, "Weather in Rome");
  await press(page, "Cancel the run");
  await page.locator(".run-card .status.cancelled").waitFor();
  await say(page, "Weather in Bern");
  await press(page, "Let it expire");
  await page.locator(".run-card .status.expired").waitFor();
  assert.ok(!(await page.getByRole("button", { name: "Submit outputs" }).isVisible()));
});

test("the page shows and saves every event of a run with its time", async (t) => {
  const { page } = await stage(t, { fixtures: BOTS });
  await page.getByRole("link", { name: "New thread" }).click();
  await say(page, "Hi");
  await page.getByText("Hello you!").waitFor();
  await page.locator(".events > summary").press("Enter");
  await page.locator(".events li").filter({ hasText: "done" }).waitFor();
  const events = await page.locator(".events li").allInnerTexts();
  assert.match(events[0], /^\d+ ms\s+thread\.run\.created/);
  assert.match(events.at(-1), /^\d+ ms\s+done/);
  assert.ok(events.some((event) => event.includes("thread.message.delta")));
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).press("Enter");
  const saved = readFileSync(await (await download).path(), "utf8");
  assert.match(saved, /^event: thread\.run\.created\ndata: \{"id":"run_/);
  assert.ok(saved.endsWith("event: done\ndata: [DONE]\n\n"));
  await page.locator(".events").getByRole("button", { name: "Copy" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), saved);
});

test("the page shows the reason for an answer, and makes a reply from an unmatched run", async (t) => {
  const { page, control } = await stage(t, { fixtures: BOTS, forgiven: /422/ });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption("Other");
  await say(page, "Hi");
  await page.locator(".why").getByText(/fixture\.yaml:\d+/).waitFor();
  assert.match(await page.locator(".why").innerText(), /Reply hi/);
  await say(page, "hi");
  await page.getByText("No reply matched.").waitFor();
  const near = page.locator(".nearest li").first();
  assert.match(await near.innerText(), /hi[^]*message[^]*wants "Hi", got "hi" \(only the case differs\)/);
  await page.getByText("Save as a reply").press("Enter");
  const stub = page.getByLabel("Fixture");
  await stub.fill((await stub.inputValue()).replace("…", "Hello again."));
  await press(page, "Put it into this session");
  await page.getByText("The session has it now").waitFor();
  await press(page, "Run again");
  await page.getByText("Hello again.").waitFor();
  const { data } = await control("/fixtures");
  assert.deepEqual([data[0].added, data[0].hits], [true, 1]);
  await page.getByRole("button", { name: "Copy as YAML" }).press("Enter");
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /Hello again\./);
  // The mistakes of a fixture are shown, and the text is not lost.
  await stub.fill("replies: [{stps: []}]");
  await press(page, "Put it into this session");
  await page.getByText("did you mean 'steps'").waitFor();
  assert.equal(await stub.inputValue(), "replies: [{stps: []}]");
});

test("an empty session shows the first steps, and has an example conversation", async (t) => {
  const { page, url } = await stage(t);
  for (const [language, words] of [
    ["Python", `OpenAI(base_url="${url}/v1"`],
    ["Node", `baseURL: "${url}/v1"`],
    ["curl", `curl ${url}/v1/assistants`],
  ]) {
    await page.getByLabel(language, { exact: true }).check();
    assert.ok((await page.locator(".start pre").innerText()).includes(words));
  }
  await press(page, "Start the demo");
  await page.getByText("x = 1").first().waitFor();
  await page.getByLabel("Assistant").selectOption("Weather Bot");
  await say(page, "What is the weather in Oslo?");
  await page.getByLabel("Output of getCurrentWeather").fill('{"temperature": 3}');
  await page.getByLabel("Output of getNickname").fill('{"nickname": "the Tiger City"}');
  await press(page, "Submit outputs");
  await page.getByText("It is 3 °C in Oslo, also known as the Tiger City.").waitFor();
  await say(page, "Thank you");
  await page.getByText("No reply matched.").waitFor();
});

test("the page creates an assistant", async (t) => {
  const { page, client } = await stage(t, { fixtures: "replies: [{steps: [{message: Fine.}]}]" });
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Name").fill("Mine");
  await page.getByLabel("code_interpreter").check();
  await page.getByLabel("Functions, as a JSON list").fill('[{"name": "f"');
  await press(page, "Make the assistant");
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Functions, as a JSON list").fill('[{"name": "f", "parameters": {"type": "object"}}]');
  await press(page, "Make the assistant");
  await say(page, "Hello");
  await page.getByText("Fine.").waitFor();
  const { data: [made] } = await client.beta.assistants.list();
  assert.deepEqual([made.name, made.tools.map((it) => it.type)], ["Mine", ["code_interpreter", "function"]]);
});
