/**
 * Starts the server once for all tests: `globalSetup: "rehearsal-server/vitest/setup"`. The
 * variables `REHEARSAL_FIXTURES`, `REHEARSAL_UNMATCHED` and the other variables of the server are
 * its settings.
 */
import { start } from "./server.js";

interface Project {
  provide(key: "rehearsalUrl", value: string): void;
}

export default async function setup(project: Project): Promise<() => Promise<void>> {
  const unmatched = process.env["REHEARSAL_UNMATCHED"] === undefined ? "fail" : undefined;
  const server = await start(unmatched === undefined ? {} : { unmatched });
  project.provide("rehearsalUrl", server.url);
  return () => server.stop();
}
