// This import comes before the application: it directs the client of the application to the emulator.
import { expect, test } from "rehearsal-server/vitest";
import { beforeEach } from "vitest";
import { ask } from "./agent.js";

let conversation;

// A hook that makes objects takes the fixture, so that the reset comes before it.
beforeEach(async ({ rehearsal }) => {
  conversation = await rehearsal.client().conversations.create({});
});

test("the objects of a hook are there", async ({ rehearsal }) => {
  const found = await rehearsal.client().conversations.retrieve(conversation.id);
  expect(found.id).toBe(conversation.id);
});

test("the application answers kindly", async ({ rehearsal }) => {
  await rehearsal.reply("Hello!", { message: "Hi" });
  expect(await ask("Hi")).toBe("Hello!");
  await rehearsal.verify([{ turn: { instructions: "Be kind." } }, { unmatched: 0 }]);
});

test("each test begins without the replies of the others", async ({ rehearsal }) => {
  await rehearsal.reply("Bye!", { message: "Hi" });
  expect(await ask("Hi")).toBe("Bye!");
  expect(await rehearsal.turns()).toHaveLength(1);
});
