#!/usr/bin/env node
// Starts the program. It passes on arguments and signals, and ends with the exit code of the
// program.
import { spawn } from "node:child_process";
import { findProgram } from "../dist/program.js";

let program;
try {
  program = findProgram();
} catch (error) {
  console.error(`rehearsal: ${error.message}`);
  process.exit(2);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`rehearsal: cannot run ${program}: ${error.message}`);
  process.exit(2);
});
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exit(code ?? 1);
  }
});
