// Builds the page into the folder that the program includes, or the tests into dist-test/.
import { copyFileSync } from "node:fs";
import { build } from "esbuild";

const PAGE = "../src/control/playground";

const shared = { bundle: true, jsx: "automatic", jsxImportSource: "preact", target: "es2022" };

if (process.argv.includes("--tests")) {
  await build({
    ...shared,
    entryPoints: ["test/*.test.ts", "test/*.test.tsx"],
    format: "esm",
    outdir: "dist-test",
    platform: "node",
  });
} else {
  await build({
    ...shared,
    entryPoints: { app: "src/main.tsx", style: "src/style.css" },
    format: "iife",
    legalComments: "none",
    loader: { ".svg": "dataurl" },
    minify: true,
    outdir: PAGE,
  });
  for (const file of ["index.html", "icon.svg"]) {
    copyFileSync(`src/${file}`, `${PAGE}/${file}`);
  }
}
