"""Runs the steps of action.yml that do not need GitHub, with the program on the PATH.

The steps that install the program and that upload the report are only parsed.
"""

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import yaml

ACTION = yaml.safe_load((Path(__file__).parents[1] / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
DEFAULTS = {name: str(given.get("default", "")) for name, given in ACTION["inputs"].items()}


def run(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step with these inputs."""
    step, given = STEPS[name], {**DEFAULTS, **inputs}
    environment = {
        key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], value)
        for key, value in step.get("env", {}).items()
    }
    files = {name: str(folder / name) for name in ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"]}
    variables = {**os.environ, **environment, **files, "RUNNER_TEMP": str(folder)}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        env=variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> None:
    """Parse all steps, and run those that can run here."""
    for name, step in STEPS.items():
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)
            print("parsed:", name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        done = run("Run", path, run='test -n "$OPENAI_BASE_URL"', args="--seed 1")
        assert done.returncode == 0, done
        reports = sorted(file.name for file in (path / "rehearsal-report").iterdir())
        assert reports == ["report.html", "report.json", "report.xml"], reports
        assert run("Run", path, run="exit 7").returncode == 7
        print("ran: Run")

        # A process that a step starts continues after the step.
        done = run("Start", path)
        assert done.returncode == 0, done
        url = (path / "GITHUB_OUTPUT").read_text().strip().removeprefix("url=")
        assert f"OPENAI_BASE_URL={url}/v1" in (path / "GITHUB_ENV").read_text()
        urllib.request.urlopen(f"{url}/_rehearsal/health").close()
        subprocess.run(["pkill", "-f", "rehearsal --listen 127.0.0.1:0 --unmatched fail"], check=True)
        refused = run("Start", path, fixtures="none.yaml")
        assert refused.returncode == 2 and "none.yaml" in refused.stdout, refused
        print("ran: Start")


if __name__ == "__main__":
    sys.exit(main())
