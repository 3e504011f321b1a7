// Makes the package of one platform: node platform.mjs linux-x64-gnu PROGRAM FOLDER
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [platform, program, folder] = process.argv.slice(2);
const main = JSON.parse(readFileSync(new URL("rehearsal-server/package.json", import.meta.url)));
const name = `rehearsal-server-${platform}`;
if (!(name in main.optionalDependencies)) {
  throw new Error(`${platform} is none of ${Object.keys(main.optionalDependencies).join(", ")}`);
}
const [os, cpu, libc] = platform.split("-");
const manifest = {
  name,
  version: main.version,
  description: `The program of rehearsal-server for ${platform}.`,
  license: main.license,
  os: [os],
  cpu: [cpu],
  ...(libc ? { libc: [libc === "gnu" ? "glibc" : libc] } : {}),
  files: ["bin"],
};
mkdirSync(join(folder, "bin"), { recursive: true });
const file = join(folder, "bin", os === "win32" ? "rehearsal.exe" : "rehearsal");
copyFileSync(program, file);
chmodSync(file, 0o755);
writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(join(folder, "README.md"), `# ${name}\n\n${manifest.description} Install \`rehearsal-server\`.\n`);
