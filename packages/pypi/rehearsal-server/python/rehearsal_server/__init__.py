"""The program `rehearsal`, a local emulator of the OpenAI Assistants API."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

__all__ = ["ProgramError", "find_program"]

#: Names another program in place of the one that is installed.
VARIABLE = "REHEARSAL_PROGRAM"


class ProgramError(RuntimeError):
    """The program is not there, or cannot be run."""


def find_program() -> str:
    """Return the path of the program.

    The variable `REHEARSAL_PROGRAM` names another one. Without it: the one that was installed with
    this package, else the one on the PATH.
    """
    if named := os.environ.get(VARIABLE):
        return _runnable(Path(named), f"{VARIABLE} names it")
    name = "rehearsal" + (sysconfig.get_config_var("EXE") or "")
    for folder in _folders():
        if (program := folder / name).is_file():
            return _runnable(program, "it was installed with rehearsal-server")
    if found := shutil.which("rehearsal"):
        return found
    raise ProgramError(
        "the program 'rehearsal' is missing: install it with 'pip install rehearsal-server', or "
        f"name it in {VARIABLE}"
    )


def _folders() -> list[Path]:
    """Return where pip puts programs, with and without a virtual environment, and with --target."""
    folders = [sysconfig.get_path("scripts")]
    user = sysconfig.get_preferred_scheme("user")
    folders.append(sysconfig.get_path("scripts", user))
    target = Path(__file__).resolve().parent.parent / "bin"
    return [Path(sys.executable).parent, *map(Path, folders), target]


def _runnable(program: Path, why: str) -> str:
    if not program.is_file():
        raise ProgramError(f"{program} is not there ({why})")
    if not os.access(program, os.X_OK):
        raise ProgramError(f"{program} cannot be run ({why}): 'chmod +x {program}' helps")
    return str(program)
