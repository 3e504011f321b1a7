"""The server of one test process.

It stops when the process ends in any way: the server runs a command that waits for the end of its
standard input, which is a pipe from this process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version

from rehearsal_server import ProgramError, find_program

from .control import Control

__all__ = ["Server", "ServerError"]

#: A free port.
LISTEN = ["--listen", "127.0.0.1:0"]

#: Prints the URL of the server, and ends with its standard input.
WAIT = "import os, sys; print(os.environ['REHEARSAL_URL'], flush=True); sys.stdin.read()"


class ServerError(Exception):
    """The server does not start. The text has the reason and the advice."""


class Server:
    """A server on a free port."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start the server, and wait until it listens."""
        try:
            program = find_program()
        except ProgramError as error:
            raise ServerError(str(error)) from error
        # A variable for another server must not name the port of this one.
        listen = [] if any(word.startswith("--listen") for word in arguments) else LISTEN
        command = [program, "exec", "--log", "warn", *listen, *arguments]
        command += ["--", sys.executable, "-c", WAIT]
        self._said = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                # Ctrl-C is for pytest, which still needs the server for its last requests.
                start_new_session=True,
            )
        except OSError as error:
            raise ServerError(f"cannot run {program}: {error}") from error
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        if not self.url:
            self.stop()
            raise ServerError(_advice(self.said()))
        self._check_version()

    def _check_version(self) -> None:
        mine = version("pytest-rehearsal")
        found = str(Control(self.url).get("/health")["version"])
        if mine.split(".")[:2] != found.split(".")[:2]:
            self.stop()
            raise ServerError(
                f"pytest-rehearsal {mine} does not fit rehearsal {found}: install "
                f"'rehearsal-server=={mine}'"
            )

    def said(self) -> str:
        """Return the standard error of the server."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """Stop the server, and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _advice(said: str) -> str:
    """Return the advice for a server that does not start."""
    if "GLIBC_" in said:
        return (
            "this machine's C library is older than the program needs: install the wheel of "
            "rehearsal-server with pip, or build the program here with 'cargo install rehearsal' "
            f"and name it in REHEARSAL_PROGRAM:\n{said}"
        )
    return f"the server does not start:\n{said}"
