import { describe } from "vitest";
import { expect, test } from "rehearsal-server/vitest";

async function ask(client, text) {
  const assistant = await client.beta.assistants.create({ model: "gpt-4o", instructions: "Be kind." });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: text }] });
  await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  const { data } = await client.beta.threads.messages.list(thread.id);
  return data[0].content[0].text.value;
}

describe.each([1, 2, 3])("worker %i", (number) => {
  test("sees nothing of the others", async ({ rehearsal }) => {
    await rehearsal.reply(`Hello ${number}`, { message: "Hi", name: "greets" });
    expect(await ask(rehearsal.client(), "Hi")).toBe(`Hello ${number}`);
    expect(process.env.OPENAI_BASE_URL).toBe(rehearsal.baseURL);
    const [turn] = await rehearsal.turns();
    expect(turn.answered.reply).toBe("greets");
    expect(await rehearsal.turns()).toHaveLength(1);
    await rehearsal.verify([{ reply: "greets", times: 1 }, { turn: { instructions: "Be kind." } }]);
    await expect(rehearsal.verify([{ turn: { instructions: "Be rude." } }])).rejects.toThrow(
      "Be [-rude-]{+kind+}.",
    );
  });
});

test("responses get the same replies", async ({ rehearsal }) => {
  await rehearsal.reply("Hello!", { message: "Hi" });
  const response = await rehearsal.client().responses.create({ model: "gpt-4o", input: "Hi" });
  expect(response.output_text).toBe("Hello!");
  const [turn] = await rehearsal.turns();
  expect([turn.api, turn.run]).toEqual(["responses", response.id]);
});

test("the clock stops and advances", async ({ rehearsal }) => {
  await rehearsal.clock.freeze("2026-01-31T12:00:00Z");
  await rehearsal.clock.advance("10m");
  expect(await rehearsal.clock.now()).toBe("2026-01-31T12:10:00Z");
});
