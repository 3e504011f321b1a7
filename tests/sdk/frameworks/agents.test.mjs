// The OpenAI Agents SDK for JavaScript: a tool, a hand-off, sessions, and a stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent, MemorySession, OpenAIConversationsSession, handoff, run, tool } from "@openai/agents";
import { z } from "zod";

const getWeather = tool({
  name: "get_weather",
  description: "The weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async () => "3 degrees",
});
const weather = new Agent({ name: "Weather", instructions: "You know the weather.", tools: [getWeather] });
const plain = new Agent({ name: "Plain", instructions: "You repeat." });

test("a tool", async () => {
  assert.equal((await run(weather, "The weather?")).finalOutput, "It is 3 degrees in Rome.");
});

test("a stream", async () => {
  const result = await run(weather, "The weather?", { stream: true });
  const kinds = new Set();
  for await (const event of result) kinds.add(event.type);
  assert.ok(kinds.has("run_item_stream_event"));
  assert.equal(result.finalOutput, "It is 3 degrees in Rome.");
});

test("a hand-off", async () => {
  const handoffs = [handoff(weather, { toolNameOverride: "transfer_to_weather" })];
  const triage = Agent.create({ name: "Triage", instructions: "You hand off.", handoffs });
  const result = await run(triage, "And in Oslo?");
  assert.equal(result.finalOutput, "It is 3 degrees in Oslo.");
  assert.equal(result.lastAgent.name, "Weather");
});

test("sessions", async () => {
  for (const session of [new MemorySession(), new OpenAIConversationsSession()]) {
    await run(plain, "One", { session });
    assert.equal((await run(plain, "Two", { session })).finalOutput, "Turn 2: Two");
  }
});
