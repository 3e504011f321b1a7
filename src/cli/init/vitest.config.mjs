import { defineConfig } from "vitest/config";

export default defineConfig({
  // Starts the server once for all tests.
  test: { globalSetup: "rehearsal-server/vitest/setup" },
});
