// Makes screenshots of the page: `npm run screenshots` writes docs/playground.png, and the others
// in target/screenshots. It needs a program (PROGRAM, or else the release build) and a browser
// (BROWSER).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { PROGRAM = "../target/release/rehearsal", BROWSER = "/usr/bin/chromium" } = process.env;
const OTHERS = "../target/screenshots";
mkdirSync(OTHERS, { recursive: true });
const program = spawn(
  PROGRAM,
  [
    ...["--listen", "127.0.0.1:0", "--fixtures", "screenshots.yaml", "--unmatched", "fail"],
    ...["--seed", "1", "--clock", "2026-01-01T09:30:00Z", "--log", "warn"],
  ],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const [line] = await once(createInterface({ input: program.stdout }), "line");
const url = line.replace("rehearsal listening on ", "");
const browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });

async function say(page, assistant, text) {
  await page.getByRole("link", { name: "New thread" }).click();
  await page.getByLabel("Assistant").selectOption(assistant);
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const first = await browser.newPage();
await first.goto(url);
await first.getByRole("button", { name: "Start the demo" }).click();
await first.getByText("x = 1").first().waitFor();
await say(first, "Weather Bot", "Thank you!");
await first.getByText("No reply matched.").waitFor();
await say(first, "Weather Bot", "What is the weather in Oslo?");
await first.getByLabel("Output of getCurrentWeather").fill('{"temperature": 3}');
await first.getByLabel("Output of getNickname").fill('{"nickname": "the Tiger City"}');
await first.getByRole("button", { name: "Submit outputs" }).click();
await first.getByText("It is 3").waitFor();
const shown = first.url();
await first.close();

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 400]) {
    const viewport = { width, height: width > 1000 ? 1000 : 800 };
    const context = await browser.newContext({ colorScheme, viewport, timezoneId: "UTC" });
    const page = await context.newPage();
    for (const [name, address] of [
      ["thread", shown],
      ["runs", url],
    ]) {
      await page.goto(address);
      await page.getByText("live", { exact: true }).waitFor();
      await page
        .getByText(name === "thread" ? "It is 3" : "Oslo")
        .filter({ visible: true })
        .first()
        .waitFor();
      await page.screenshot({ path: `${OTHERS}/${name}-${colorScheme}-${width}.png` });
      if (`${name}-${colorScheme}-${width}` === "thread-light-1200") {
        await page.screenshot({ path: "../docs/playground.png" });
      }
    }
    await context.close();
  }
}
await browser.close();
program.kill();
