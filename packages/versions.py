"""All packages have the version of Cargo.toml: checks this, or sets it with --write."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Compare or write the versions. Return the number of files that differ."""
    manifest = (ROOT / "Cargo.toml").read_text()
    version = re.search(r'^version = "([^"]+)"', manifest, re.M)[1]
    major, minor, _ = version.split(".")
    below = f"0.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
    line = f"{major}.{minor}" if major == "0" else major
    wanted = {
        "packages/pypi/pytest-rehearsal/pyproject.toml": [
            (r'(?m)^version = "[^"]+"', f'version = "{version}"'),
            (r"rehearsal-server>=[^\"]+", f"rehearsal-server>={line},<{below}"),
        ],
        "packages/npm/rehearsal-server/package.json": [
            (r'"version": "[^"]+"', f'"version": "{version}"'),
            (r'("rehearsal-server-[\w-]+"): "[^"]+"', rf'\1: "{version}"'),
        ],
        "src/control/openapi.json": [(r'"version": "\d[^"]*"', f'"version": "{version}"')],
        "docs/control.md": [(r'"version": "\d[^"]*"', f'"version": "{version}"')],
    }
    differing = 0
    for name, changes in wanted.items():
        file = ROOT / name
        text = file.read_text()
        changed = text
        for pattern, replacement in changes:
            changed = re.sub(pattern, replacement, changed)
        if changed == text:
            continue
        differing += 1
        if "--write" in sys.argv:
            file.write_text(changed)
        else:
            print(f"{name} is not of version {version}: run packages/versions.py --write")
    return 0 if "--write" in sys.argv else min(differing, 1)


if __name__ == "__main__":
    sys.exit(main())
