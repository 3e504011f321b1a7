/** Finds the program in the package for this platform. */
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The variable that selects another program than the installed one. */
const VARIABLE = "REHEARSAL_PROGRAM";

/** The platforms that have a package. */
const PLATFORMS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "linux-x64-gnu",
  "linux-x64-musl",
  "win32-x64",
];

function platform(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform !== "linux") return base;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return `${base}-${report.header?.glibcVersionRuntime === undefined ? "musl" : "gnu"}`;
}

/** Returns the path of the program. The variable `REHEARSAL_PROGRAM` selects another one. */
export function findProgram(): string {
  const named = process.env[VARIABLE];
  if (named) return runnable(named, `${VARIABLE} names it`);
  const wanted = platform();
  if (!PLATFORMS.includes(wanted)) {
    throw new Error(
      `there is no program for ${wanted}; there are: ${PLATFORMS.join(", ")}. ` +
        `Build it with 'cargo install rehearsal' and name it in ${VARIABLE}.`,
    );
  }
  const name = `rehearsal-server-${wanted}`;
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  } catch {
    throw new Error(
      `the package ${name} is missing: it has the program. Optional dependencies were left out; ` +
        `install it with 'npm install ${name}', or without --omit=optional.`,
    );
  }
  const file = process.platform === "win32" ? "rehearsal.exe" : "rehearsal";
  return runnable(join(dirname(manifest), "bin", file), `it is in the package ${name}`);
}

function runnable(program: string, why: string): string {
  if (!existsSync(program)) throw new Error(`${program} is not there (${why})`);
  try {
    accessSync(program, constants.X_OK);
  } catch {
    throw new Error(`${program} cannot be run (${why}): 'chmod +x ${program}' helps`);
  }
  return program;
}
