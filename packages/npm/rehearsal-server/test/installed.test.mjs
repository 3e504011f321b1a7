// Tests the installed package in a project: run this with `node --test` in that project.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { findProgram, start } from "rehearsal-server";

const bin = join(process.cwd(), "node_modules/.bin/rehearsal-server");
const folder = mkdtempSync(join(tmpdir(), "rehearsal-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

/** The output of a module with this text. */
function said(text, options = {}) {
  const file = join(process.cwd(), `said-${Math.random()}.mjs`);
  writeFileSync(file, text);
  const run = spawnSync(process.execPath, [file], { encoding: "utf8", ...options });
  rmSync(file);
  return run.stdout + run.stderr;
}

async function answers(url) {
  return await fetch(`${url}/_rehearsal/health`).then(
    () => true,
    () => false,
  );
}

test("the launcher passes arguments, exit codes and signals", async () => {
  assert.equal(spawnSync(bin, ["exec", "--", "sh", "-c", "exit 7"]).status, 7);
  assert.match(spawnSync(bin, ["--version"], { encoding: "utf8" }).stdout, /^rehearsal 0\.2\.0 \(/);
  const server = spawn(bin, ["--listen", "127.0.0.1:0"]);
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  const url = line.replace("rehearsal listening on ", "");
  assert.ok(await answers(url));
  server.kill("SIGTERM");
  assert.deepEqual(await once(server, "exit"), [0, null]);
  assert.ok(!(await answers(url)));
});

test("a server that cannot start gives one message", async () => {
  const broken = join(folder, "broken.yaml");
  writeFileSync(broken, "replies: [{stps: []}]");
  await assert.rejects(start({ fixtures: broken }), /unknown key 'stps'[^]*did you mean 'steps'/);
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address();
  await assert.rejects(start({ args: ["--listen", `127.0.0.1:${port}`] }), /cannot listen on/);
  taken.close();
  const server = await start();
  const session = server.session("a");
  for (const name of ["a b", "..", ""]) {
    assert.throws(() => server.session(name), /1 to 64 letters, digits/);
  }
  await assert.rejects(session.verify([{ rely: "a" }]), /did you mean 'reply'/);
  await assert.rejects(session.fixtures("none"), /no such file or folder/);
  await server.stop();
  assert.ok(!(await answers(server.url)));
});

test("the error about a missing program names the package to add", () => {
  const find = 'import { findProgram } from "rehearsal-server";\ntry { findProgram() } catch (error) { console.log(error.message) }';
  const none = said(find, { env: { ...process.env, REHEARSAL_PROGRAM: join(folder, "none") } });
  assert.match(none, /none is not there \(REHEARSAL_PROGRAM names it\)/);
  const file = join(folder, "no-run-bit");
  writeFileSync(file, "");
  chmodSync(file, 0o644);
  const unrunnable = said(find, { env: { ...process.env, REHEARSAL_PROGRAM: file } });
  assert.match(unrunnable, /cannot be run .*chmod \+x/);
  const odd = `Object.defineProperty(process, "platform", { value: "sunos" });\n${find}`;
  assert.match(said(odd), /there is no program for sunos-/);

  // The package alone, without optional dependencies.
  const alone = join(folder, "alone/node_modules/rehearsal-server");
  cpSync("node_modules/rehearsal-server", alone, { recursive: true });
  const run = spawnSync(process.execPath, [join(alone, "bin/rehearsal.js")], { encoding: "utf8" });
  const name = dirname(dirname(findProgram())).split("/").at(-1);
  assert.equal(run.status, 2);
  assert.ok(run.stderr.includes(`the package ${name} is missing`), run.stderr);
  assert.ok(run.stderr.includes(`npm install ${name}`), run.stderr);
});

test("errors about versions that do not fit, and about an old C library", () => {
  const copy = join(folder, "newer/node_modules");
  cpSync("node_modules/rehearsal-server", join(copy, "rehearsal-server"), { recursive: true });
  const manifest = join(copy, "rehearsal-server/package.json");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/"version": "[^"]+"/, '"version": "9.9.0"'));
  const text = `import { start } from "${join(copy, "rehearsal-server/dist/index.js")}";
try { await start() } catch (error) { console.log(error.message) }`;
  const env = { ...process.env, REHEARSAL_PROGRAM: findProgram() };
  assert.match(said(text, { env }), /rehearsal-server 9\.9\.0 does not fit the program 0\./);

  const program = join(folder, "of-a-newer-system");
  writeFileSync(program, `#!/bin/sh\necho "libc.so.6: version 'GLIBC_2.99' not found" >&2\nexit 1\n`);
  chmodSync(program, 0o755);
  const old = said(text, { env: { ...process.env, REHEARSAL_PROGRAM: program } });
  assert.match(old, /this machine's C library is older[^]*'GLIBC_2\.99' not found/);
});

test("a process that is killed leaves no server behind", async () => {
  const text = 'import { start } from "rehearsal-server"; console.log((await start()).url); setInterval(() => {}, 1000);';
  const file = join(process.cwd(), "killed.mjs");
  writeFileSync(file, text);
  const child = spawn(process.execPath, [file]);
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  assert.ok(await answers(url));
  child.kill("SIGKILL");
  await once(child, "exit");
  const end = Date.now() + 30_000;
  while (await answers(url)) assert.ok(Date.now() < end, "it is still there");
  rmSync(file);
  assert.ok(!existsSync(file));
});

test("an unmatched run fails a test of vitest, and the error has the nearest replies", () => {
  const file = join(process.cwd(), "tests/unmatched.test.js");
  writeFileSync(
    file,
    `import { test } from "rehearsal-server/vitest";
test("asks for nothing known", async ({ rehearsal }) => {
  await rehearsal.reply("Hello", { message: "hi", name: "greets" });
  const client = rehearsal.client();
  const assistant = await client.beta.assistants.create({ model: "gpt-4o" });
  const messages = [{ role: "user", content: "Hi" }];
  await client.beta.threads.createAndRunPoll({ assistant_id: assistant.id, thread: { messages } });
});\n`,
  );
  const run = spawnSync("npx", ["--offline", "vitest", "run", file], { encoding: "utf8" });
  rmSync(file);
  assert.notEqual(run.status, 0);
  assert.match(run.stdout + run.stderr, /no reply matches the run run_\w+ \(message: "Hi"\)/);
  assert.match(run.stdout + run.stderr, /nearest is greets .*only the case differs/);
});
