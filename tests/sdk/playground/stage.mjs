// Each test has its own server, and a page of it in a real browser. At the end of a test, the
// console of the browser must have no errors or warnings.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import OpenAI from "openai";
import { chromium } from "playwright-core";

const QUIET = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** The tests of one file share a browser. */
let browser;
export function withBrowser() {
  before(async () => {
    browser = await chromium.launch({ executablePath: process.env.BROWSER, args: QUIET });
  });
  after(() => browser.close());
}

/** Cleans up after a test, in reverse order. */
const cleanups = new WeakMap();
function afterwards(t, clean) {
  if (!cleanups.has(t)) {
    cleanups.set(t, []);
    t.after(async () => {
      for (const next of cleanups.get(t).reverse()) await next();
    });
  }
  cleanups.get(t).push(clean);
}

/** Starts a server with a seed and a stopped clock. */
export async function serve(t, { fixtures = "", args = [], listen = "127.0.0.1:0" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "rehearsal-"));
  const file = join(folder, "fixture.yaml");
  writeFileSync(file, fixtures || "replies: []\n");
  const fixed = ["--seed", "7", "--clock", "2026-01-01T12:00:00Z", "--log", "warn"];
  const command = ["--listen", listen, "--fixtures", file, "--unmatched", "fail", ...fixed, ...args];
  const program = spawn(process.env.PROGRAM, command, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: program.stdout }), "line");
  const url = line.replace("rehearsal listening on ", "").replace(/\/$/, "");
  const stop = async () => {
    if (program.exitCode !== null || program.signalCode !== null) return;
    program.kill("SIGKILL");
    await once(program, "exit");
  };
  afterwards(t, async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-tests", maxRetries: 0 });
  const control = async (path, init) => (await fetch(`${url}/_rehearsal${path}`, init)).json();
  return { url, client, control, file, stop };
}

/** Opens the page. `forgiven` matches the browser messages that the test expects. */
export async function open(t, url, { forgiven = /^$/, ...context } = {}) {
  const opened = await browser.newContext({
    viewport: { width: 1200, height: 900 },
    reducedMotion: "reduce",
    ...context,
  });
  await opened.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await opened.newPage();
  page.setDefaultTimeout(40_000);
  const complaints = [];
  page.on("console", (it) => {
    if (["error", "warning"].includes(it.type())) complaints.push(it.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (it) => complaints.push(`dialog: ${it.message()}`));
  afterwards(t, async () => {
    await opened.close();
    assert.deepEqual(complaints.filter((it) => !forgiven.test(it)), []);
  });
  await page.goto(url);
  return page;
}

/** A server and its page. */
export async function stage(t, { fixtures, args, path = "", ...context } = {}) {
  const server = await serve(t, { fixtures, args });
  return { ...server, page: await open(t, `${server.url}/${path}`, context) };
}

/** A run on a new thread, as a client creates it. */
export async function converse(client, assistant, text) {
  const messages = [{ role: "user", content: text }];
  return await client.beta.threads.createAndRunPoll({ assistant_id: assistant, thread: { messages } });
}

/** Sends a message like a user of the page. */
export async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).press("Enter");
}

/**
 * Presses a button with the keyboard. Views grow while they load, so a button may move between the
 * press and the release of a mouse button.
 */
export async function press(page, name) {
  await page.getByRole("button", { name, exact: true }).press("Enter");
}

/** The rows of the runs. */
export function rows(page) {
  return page.locator(".runs .run");
}
