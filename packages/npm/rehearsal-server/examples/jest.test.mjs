// Jest runs modules with: NODE_OPTIONS=--experimental-vm-modules npx jest
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { start } from "rehearsal-server";

let server;
beforeAll(async () => {
  server = await start({ unmatched: "fail" });
});
afterAll(() => server.stop());

test("the application says hello", async () => {
  const rehearsal = server.session("hello");
  await rehearsal.reply("Hello!", { message: "Hi" });
  const client = rehearsal.client();
  const assistant = await client.beta.assistants.create({ model: "gpt-4o" });
  const run = await client.beta.threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "Hi" }] },
  });
  expect(run.status).toBe("completed");
  await rehearsal.verify([{ unmatched: 0 }]);
});
