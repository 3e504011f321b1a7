"""The program `rehearsal`, a local emulator of the OpenAI Assistants API."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

__all__ = ["ProgramError", "find_program"]

#: The variable that selects another program than the installed one.
VARIABLE = "REHEARSAL_PROGRAM"


class ProgramError(RuntimeError):
    """The program is missing, or cannot be run."""


def find_program() -> str:
    """Return the path of the program.

    The variable `REHEARSAL_PROGRAM` selects another one. Without it, this is the program that was
    installed with this package, or else the one on the PATH.
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
    """Return the folders where pip installs programs, in every kind of installation."""
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
