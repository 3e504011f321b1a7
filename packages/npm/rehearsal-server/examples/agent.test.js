// This import comes before the application: it directs the client of the application to the emulator.
import { expect, test } from "rehearsal-server/vitest";
import { ask } from "./agent.js";

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
