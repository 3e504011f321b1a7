// Access to the page: keys, sessions, restarts, keyboards, assistive technology.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { converse, open, rows, say, serve, stage, withBrowser } from "./stage.mjs";

withBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const HI = `
assistants: [{id: asst_a, name: Bot, model: gpt-4o, tools: [{type: function, function: {name: f}}]}]
replies:
  - {name: hi, when: {message: Hi}, steps: [{message: Hello!}]}
  - {name: call, when: {message: Call}, steps: [{tool_calls: [{function: {name: f, arguments: {}}}]}, {message: Done.}]}
`;

test("the page asks for a key if the server requires one, and the tab keeps it", async (t) => {
  const server = await serve(t, { fixtures: HI, args: ["--api-key", "sk-right"] });
  const page = await open(t, server.url, { forgiven: /401/ });
  await page.getByLabel("API key").fill("sk-wrong");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("API key").fill("sk-right");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("link", { name: "New thread" }).click();
  await say(page, "Hi");
  await page.getByText("Hello!").waitFor();
  await page.reload();
  await page.getByText("Hello!").waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test("the reads of the page leave no trace", async (t) => {
  const { page, control, client, url } = await stage(t, { fixtures: HI });
  const { thread_id: thread } = await converse(client, "asst_a", "Call");
  const before = [await control("/requests"), await control("/fixtures"), await control("/turns")];
  const counted = async () => (await (await fetch(`${url}/metrics`)).text()).match(/^rehearsal_requests_total.*v1.*/gm);
  const counts = await counted();
  await page.goto(`${url}/#/threads/${thread}`);
  await page.getByText("The run waits").waitFor();
  await page.reload();
  await page.getByText("The run waits").waitFor();
  assert.deepEqual([await control("/requests"), await control("/fixtures"), await control("/turns")], before);
  assert.deepEqual(await counted(), counts);
});

test("a session has its own address", async (t) => {
  const { page, url } = await stage(t, { fixtures: HI, forgiven: /404/, path: "#/s/other/" });
  await page.getByText("session other").waitFor();
  await fetch(`${url}/s/other/v1/models`, { headers: { authorization: "Bearer x" } });
  await page.getByRole("link", { name: "New thread" }).click();
  await say(page, "Hi");
  await page.getByText("Hello!").waitFor();
  assert.match(page.url(), /#\/s\/other\/threads\/thread_/);
  await page.getByRole("link", { name: "Rehearsal", exact: true }).click();
  assert.equal(await rows(page).count(), 1);
  await page.goto(`${url}/#/`);
  await page.getByText("No run yet").waitFor();
});

test("after a restart of the server the page connects again", async (t) => {
  const server = await serve(t, { fixtures: HI });
  const page = await open(t, server.url, { forgiven: /ERR_|Failed to fetch|network/ });
  await page.getByText("live", { exact: true }).waitFor();
  await server.stop();
  await page.getByText("connecting").waitFor();
  const again = await serve(t, { fixtures: HI, listen: new URL(server.url).host });
  await page.getByText("live", { exact: true }).waitFor();
  await converse(again.client, "asst_a", "Hi");
  await rows(page).first().waitFor();
});

test("the page works with the keyboard only", async (t) => {
  const { page } = await stage(t, { fixtures: HI });
  await page.getByText("No run yet").waitFor();
  const focus = async (wanted) => {
    for (let presses = 0; presses < 60; presses++) {
      const name = await page.evaluate(() => {
        const it = document.activeElement;
        if (it === document.body) return "";
        return it.labels?.[0]?.innerText || it.getAttribute("aria-label") || it.innerText || "";
      });
      if (wanted.test(name)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`the focus never comes to ${wanted}`);
  };
  await focus(/New thread/);
  await page.keyboard.press("Enter");
  await page.getByLabel("Message", { exact: true }).waitFor();
  await focus(/^Message$/);
  await page.keyboard.type("Call");
  await page.keyboard.press("Control+Enter");
  await page.getByText("The run waits").waitFor();
  await focus(/Output of f/);
  await page.keyboard.type("fine");
  await focus(/Submit outputs/);
  await page.keyboard.press("Enter");
  await page.getByText("Done.").waitFor();
  await focus(/events/);
  await page.keyboard.press("Enter");
  await page.getByText("thread.run.created").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 400]) {
    test(`no serious problem for assistive technology: ${colorScheme}, ${width} px`, async (t) => {
      const viewport = { width, height: 800 };
      const { page, client, url } = await stage(t, { fixtures: HI, viewport, colorScheme });
      const check = async (what) => {
        // The debugger runs the script, because the policy of the page allows no other script.
        const session = await page.context().newCDPSession(page);
        await session.send("Runtime.evaluate", { expression: AXE });
        const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        const serious = violations.filter((it) => ["serious", "critical"].includes(it.impact));
        const shown = serious.map((it) => [it.id, it.nodes.map((node) => node.html)]);
        assert.deepEqual(shown, [], what);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${what}: it is ${wide} px too wide`);
      };
      await page.getByText("No run yet").waitFor();
      await check("empty");
      await page.getByRole("link", { name: "New thread" }).click();
      await page.getByText("Run overrides").click();
      await check("a new thread");
      await say(page, "Nobody answers this");
      await page.getByText("No reply matched.").waitFor();
      await page.getByText("Save as a reply").click();
      await check("an unmatched run");
      const { thread_id: thread } = await converse(client, "asst_a", "Call");
      await page.goto(`${url}/#/threads/${thread}`);
      await page.getByText("The run waits").waitFor();
      await check("a run that waits");
      await page.getByRole("link", { name: "Rehearsal", exact: true }).click();
      await rows(page).nth(1).waitFor();
      await check("runs");
      for (const name of ["threads", "assistants", "files", "fixtures", "match", "responses", "turns", "journal", "session"]) {
        await page.goto(`${url}/#/${name}`);
        await page.locator("main h1").waitFor();
        for (const summary of await page.locator("main summary").all()) await summary.click();
        await check(name);
      }
    });
  }
}
