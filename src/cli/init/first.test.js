import { expect, test } from "rehearsal-server/vitest";

test("the agent looks the capital up", async ({ rehearsal }) => {
  await rehearsal.fixtures("fixtures");
  const client = rehearsal.client();
  const assistant = await client.beta.assistants.create({
    model: "gpt-4o",
    instructions: "Answer in one word.",
    tools: [{ type: "function", function: { name: "look_up" } }],
  });
  const messages = [{ role: "user", content: "What is the capital of France?" }];
  const thread = await client.beta.threads.create({ messages });
  const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  const [call] = run.required_action.submit_tool_outputs.tool_calls;
  expect(JSON.parse(call.function.arguments)).toEqual({ country: "France" });
  await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, {
    thread_id: thread.id,
    tool_outputs: [{ tool_call_id: call.id, output: "Paris" }],
  });
  const { data } = await client.beta.threads.messages.list(thread.id);
  expect(data[0].content[0].text.value).toBe("Paris");
  await rehearsal.verify([{ turn: { tool_outputs: { look_up: "Paris" } } }]);
});
