// The AI SDK of Vercel, whose OpenAI models use the Responses API: a tool, a stream, and an object.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openai } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const getWeather = tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async () => "3 degrees",
});
const asked = {
  model: openai("gpt-4o"),
  prompt: "The weather?",
  tools: { get_weather: getWeather },
  stopWhen: stepCountIs(5),
};

test("a tool", async () => {
  const { text, steps } = await generateText(asked);
  assert.equal(text, "It is 3 degrees in Rome.");
  assert.equal(steps.length, 2);
});

test("a stream", async () => {
  let text = "";
  for await (const piece of streamText(asked).textStream) text += piece;
  assert.equal(text, "It is 3 degrees in Rome.");
});

test("an object", async () => {
  const schema = z.object({ name: z.string(), age: z.number() });
  const { object } = await generateObject({ model: openai("gpt-4o"), prompt: "Who?", schema });
  assert.deepEqual(object, { name: "Ada", age: 36 });
});
