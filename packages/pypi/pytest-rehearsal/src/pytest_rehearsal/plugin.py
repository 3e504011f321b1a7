"""The pytest plugin: options, the marker, the fixture, and the report of a failed test."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from .report import section, unmatched_text
from .server import Server, ServerError
from .session import API_KEY, Rehearsal

_SESSION = pytest.StashKey[Rehearsal]()
_SERVERS = pytest.StashKey["Servers"]()

#: Name, kind in the ini file, default, help text.
_OPTIONS: list[tuple[str, Any, Any, str]] = [
    ("rehearsal_fixtures", "linelist", [], "fixture files and folders for all tests"),
    ("rehearsal_unmatched", "string", "fail", "a run that no reply matches: fail, or echo"),
    ("rehearsal_args", "args", [], "more arguments for the server"),
    ("rehearsal_record", "string", "", "a folder: record there what no reply matches"),
    ("rehearsal_upstream", "string", "", "the server that answers what is recorded"),
    ("rehearsal_exec", "bool", False, "use the server of `rehearsal exec`, for all tests"),
]

#: Options of the server. With `rehearsal_exec`, they belong to the command line of `exec`.
_OF_SERVER = ["rehearsal_args", "rehearsal_record", "rehearsal_upstream"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options to the command line and to the ini file."""
    group = parser.getgroup("rehearsal")
    for name, kind, default, help_text in _OPTIONS:
        flag = "--" + name.replace("_", "-")
        action = {"string": "store", "bool": "store_const"}.get(kind, "append")
        more = {"const": True} if kind == "bool" else {}
        group.addoption(flag, dest=name, action=action, help=help_text, **more)
        parser.addini(name, help_text, type=kind, default=default)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "rehearsal(fixtures=None, unmatched=None): settings of the fixture `rehearsal`"
    )
    config.stash[_SERVERS] = Servers(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers."""
    if (servers := config.stash.get(_SERVERS, None)) is not None:
        servers.stop()


class Servers:
    """The servers of this process: one for each setting of unmatched runs.

    With `rehearsal_exec` there is only the server of `rehearsal exec`. Clients that a module
    creates while it is imported use the first session of that server. So all tests use this
    session, one after the other, and each one resets it. The workers of xdist have their own.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Take the options. A server starts when a test needs it."""
        self._config = config
        self._servers: dict[str, Server] = {}
        self._error: str | None = None
        self._sessions = 0
        self._url = os.environ.get("REHEARSAL_URL")
        self._key = os.environ.get("OPENAI_API_KEY")
        self._worker = os.environ.get("PYTEST_XDIST_WORKER")

    @property
    def api_key(self) -> str:
        """The key that the server accepts."""
        return self._key if self.option("rehearsal_exec") and self._key else API_KEY

    def session(self, unmatched: str) -> Rehearsal:
        """Make an empty session for a test."""
        self._sessions += 1
        if self.option("rehearsal_exec"):
            return self._session_of_exec(unmatched)
        if unmatched not in self._servers:
            try:
                if self._error is None:
                    self._servers[unmatched] = Server(self._arguments(unmatched))
            except ServerError as error:
                self._error = f"rehearsal: {error}"
        # A server that failed to start is not started again for the next test.
        if self._error is not None:
            pytest.fail(self._error, pytrace=False)
        return Rehearsal(f"{self._servers[unmatched].url}/s/test-{self._sessions}")

    def _session_of_exec(self, unmatched: str) -> Rehearsal:
        if self._url is None:
            pytest.fail("rehearsal_exec needs 'rehearsal exec -- pytest'", pytrace=False)
        if ignored := [name for name in _OF_SERVER if self.option(name)]:
            pytest.fail(
                f"rehearsal_exec: {', '.join(ignored)} has no effect: give it to 'rehearsal exec'",
                pytrace=False,
            )
        if unmatched != self.option("rehearsal_unmatched"):
            pytest.fail("rehearsal_exec: all tests have the same 'unmatched'", pytrace=False)
        path = "" if self._worker is None else f"/s/test-{self._worker}"
        session = Rehearsal(f"{self._url}{path}", self.api_key)
        session.control.post("/reset?fixtures=true", {})
        # The last document has priority.
        for fixtures in reversed(self.option("rehearsal_fixtures")):
            session.fixtures(str(self._config.rootpath / fixtures))
        return session

    def option(self, name: str) -> Any:
        """Return an option from the command line, or else from the ini file."""
        given = self._config.getoption(name)
        return self._config.getini(name) if given is None else given

    def _arguments(self, unmatched: str) -> list[str]:
        root = self._config.rootpath
        arguments = []
        for path in self.option("rehearsal_fixtures"):
            arguments += ["--fixtures", str(root / path)]
        for words in self.option("rehearsal_args"):
            arguments += shlex.split(words)
        upstream, record = self.option("rehearsal_upstream"), self.option("rehearsal_record")
        if record and not upstream:
            raise ServerError("rehearsal_record needs rehearsal_upstream: who is to answer?")
        if upstream:
            arguments += ["--upstream", upstream]
            arguments += ["--record", str(root / record)] if record else []
        else:
            arguments += ["--unmatched", unmatched]
        return arguments

    def stop(self) -> None:
        """Stop all servers."""
        for server in self._servers.values():
            server.stop()
        self._servers.clear()


@pytest.fixture
def rehearsal(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rehearsal]:
    """Give the test its own session on a local emulator of the Assistants API.

    `OPENAI_BASE_URL`, `OPENAI_API_KEY` and Azure's variables point to it. A run that no reply
    matches fails the test, unless the test is marked with `unmatched="echo"`.
    """
    servers = request.config.stash[_SERVERS]
    marker = request.node.get_closest_marker("rehearsal")
    settings = dict(marker.kwargs) if marker else {}
    if unknown := settings.keys() - {"fixtures", "unmatched"}:
        pytest.fail(f"the marker 'rehearsal' knows no {', '.join(sorted(unknown))}", pytrace=False)
    unmatched = settings.get("unmatched") or servers.option("rehearsal_unmatched")
    if unmatched not in ("fail", "echo"):
        pytest.fail(f"unmatched is 'fail' or 'echo', not {unmatched!r}", pytrace=False)
    session = servers.session(unmatched)
    for name, value in {
        "OPENAI_BASE_URL": session.base_url,
        "OPENAI_API_KEY": servers.api_key,
        "AZURE_OPENAI_ENDPOINT": session.url,
        "AZURE_OPENAI_API_KEY": servers.api_key,
        "OPENAI_API_VERSION": "2024-05-01-preview",
        "REHEARSAL_URL": session.url,
    }.items():
        monkeypatch.setenv(name, value)
    if fixtures := settings.get("fixtures"):
        session.fixtures(fixtures)
    request.node.stash[_SESSION] = session
    yield session
    if unmatched == "fail" and (runs := session.unmatched):
        pytest.fail(unmatched_text(runs), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show the turns of a failed test, and its unmatched runs."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    session = item.stash.get(_SESSION, None)
    if session is not None and report.failed:
        try:
            text = section(session)
        except Exception as error:
            text = f"the server does not answer: {error}"
        report.sections.append(("rehearsal", text))
