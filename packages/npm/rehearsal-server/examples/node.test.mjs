import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "rehearsal-server";

let server;
before(async () => {
  server = await start({ unmatched: "fail" });
});
after(() => server.stop());

test("the application says hello", async () => {
  const rehearsal = server.session("hello");
  await rehearsal.reply("Hello!", { message: "Hi" });
  const client = rehearsal.client();
  const assistant = await client.beta.assistants.create({ model: "gpt-4o" });
  const run = await client.beta.threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "Hi" }] },
  });
  assert.equal(run.status, "completed");
  await rehearsal.verify([{ unmatched: 0 }]);
});
