// The report of `exec`: the page in one file, from disk, without a server and without a network.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { open, rows, withBrowser } from "./stage.mjs";

withBrowser();

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const FIXTURE = `
assistants: [{id: asst_a, name: Bot, model: gpt-4o, tools: [{type: code_interpreter}]}]
replies:
  - name: chart
    when: {message: {contains: chart}}
    steps:
      - tool_calls: [{code_interpreter: {input: draw(), outputs: [{image: {name: c.png, base64: ${PIXEL}}}]}}]
      - message: "Here is **it**."
`;
const AGENT = `
import OpenAI from "openai";
for (const [session, texts] of [["", ["Draw a chart", "</script><script>window.hacked=1</script>"]], ["/s/worker", ["chart of mine"]]]) {
  const client = new OpenAI({ baseURL: process.env.REHEARSAL_URL + session + "/v1", apiKey: "sk-secret-of-the-agent" });
  for (const content of texts) {
    const messages = [{ role: "user", content: content + " sk-secret-of-the-agent" }];
    await client.beta.threads.createAndRunPoll({ assistant_id: "asst_a", thread: { messages } });
  }
}
`;

function report(t) {
  // Node finds the client in this folder.
  const folder = mkdtempSync(join(process.cwd(), "report-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write("fixture.yaml", FIXTURE);
  write("agent.mjs", AGENT);
  write("expect.yaml", "expect: [{reply: chart, times: 2}, {reply: chart, times: 7}]");
  const flags = ["--fixtures", "fixture.yaml", "--unmatched", "fail", "--verify", "expect.yaml"];
  const fixed = ["--seed", "7", "--clock", "2026-01-01T12:00:00Z", "--log", "warn"];
  const command = ["exec", ...flags, ...fixed, "--report", "r.html", "--", "node", "agent.mjs"];
  try {
    execFileSync(process.env.PROGRAM, command, { cwd: folder, stdio: "pipe" });
    assert.fail("an expectation failed, so the command does");
  } catch (error) {
    assert.equal(error.status, 1, String(error.stderr));
  }
  return join(folder, "r.html");
}

test("the report shows the views of the page, and sends no requests", async (t) => {
  const file = report(t);
  const text = readFileSync(file, "utf8");
  assert.ok(!text.includes("sk-secret-of-the-agent"));
  assert.doesNotMatch(text, /(?:src|href)\s*=\s*["']?https?:/);
  const page = await open(t, pathToFileURL(file).href, { offline: true });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.getByText("Rehearsal report").first().waitFor();
  assert.equal(await page.locator("#plain").count(), 0);
  const expected = await page.locator(".judged > li").allInnerTexts();
  assert.match(expected[0], /✓/);
  assert.match(expected[1], /✗[^]*7/);
  assert.equal(await rows(page).count(), 2);
  await rows(page).filter({ hasText: "Draw a chart" }).getByRole("link").click();
  await page.getByText("Here is it.").waitFor();
  await page.getByText("draw()").waitFor();
  const width = page.locator("figure img").first().evaluate((it) => it.decode().then(() => it.naturalWidth));
  assert.equal(await width, 1);
  await page.locator(".why").getByText(/fixture\.yaml:\d+/).waitFor();
  await rows(page).filter({ hasText: "hacked" }).getByRole("link").click();
  await page.getByText("No reply matched.").waitFor();
  await page.locator(".nearest").getByText("chart", { exact: true }).waitFor();
  for (const name of ["Threads", "Assistants", "Files", "Fixtures", "Turns", "Journal"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await page.locator("main h1").waitFor();
    assert.equal(await page.getByRole("alert").count(), 0, name);
  }
  await page.locator(".entries summary").first().click();
  await page.getByRole("group", { name: "Answer" }).waitFor();
  // The report has no actions that need a server.
  for (const name of ["New thread", "Send", "Arm it", "Edit Bot", "Empty the journal"]) {
    assert.equal(await page.getByText(name, { exact: true }).count(), 0, name);
  }
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Runs" }).click();
  await page.getByRole("link", { name: "worker" }).click();
  await rows(page).filter({ hasText: "chart of mine" }).getByRole("link").click();
  await page.getByText("Here is it.").waitFor();
  assert.deepEqual(asked.filter((url) => !/^(file|blob|data):/.test(url)), []);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("without scripts the report is a table", async (t) => {
  const file = report(t);
  const page = await open(t, pathToFileURL(file).href, { offline: true, javaScriptEnabled: false });
  await page.getByRole("cell", { name: /Draw a chart/ }).first().waitFor();
  assert.equal(await page.locator("#app > *").count(), 0);
  await page.getByRole("heading", { name: "Runs that no reply matched" }).waitFor();
});
