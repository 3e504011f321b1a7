"""The session that a test gets on the server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from .control import Control, ControlError

if TYPE_CHECKING:
    import openai

__all__ = ["API_KEY", "Clock", "Rehearsal"]

#: The server accepts any key.
API_KEY = "sk-rehearsal-pytest"

#: A folder or file, a document, or the text of a document.
Fixtures = Union[str, "os.PathLike[str]", Mapping[str, Any]]

_SUFFIXES = (".yaml", ".yml", ".json")


class Clock:
    """The clock of a session: all times and expiries come from it."""

    def __init__(self, control: Control) -> None:
        """Take the session's control API."""
        self._control = control

    @property
    def now(self) -> str:
        """The time, in RFC 3339."""
        return str(self._control.get("/clock")["now"])

    def advance(self, by: str) -> None:
        """Advance the clock, for example by "10m". Everything due in this time happens first."""
        self._control.post("/clock", {"advance": by})

    def freeze(self, at: str) -> None:
        """Stop the clock at a time in RFC 3339."""
        self._control.post("/clock", {"freeze": at})

    def resume(self) -> None:
        """Start the clock again."""
        self._control.post("/clock", {"resume": True})


class Rehearsal:
    """A session on the server. Other sessions cannot see its objects."""

    def __init__(self, url: str, api_key: str = API_KEY) -> None:
        """Take the URL of the session, and the key that its server accepts."""
        self.url = url
        self._api_key = api_key
        self.base_url = f"{url}/v1"
        self.control = Control(url)
        self.clock = Clock(self.control)

    def client(self, **options: Any) -> openai.OpenAI:
        """Return the official client for this session. The package `openai` must be installed."""
        settings = {"base_url": self.base_url, "api_key": self._api_key, **options}
        client: openai.OpenAI = _package().OpenAI(**settings)
        return client

    def async_client(self, **options: Any) -> openai.AsyncOpenAI:
        """Return the official asynchronous client for this session."""
        settings = {"base_url": self.base_url, "api_key": self._api_key, **options}
        client: openai.AsyncOpenAI = _package().AsyncOpenAI(**settings)
        return client

    def fixtures(self, fixtures: Fixtures) -> None:
        """Add fixtures: a file, a folder, a document as a dict, or its text in YAML.

        They come before earlier ones. They must contain the content of their files, as `text` or
        `base64`: files in their folder are not read.
        """
        # The newest document has priority, and the first file of a folder must have the highest
        # priority.
        for document in reversed(_documents(fixtures)):
            try:
                if isinstance(document, str):
                    self.control.post_yaml("/fixtures", document)
                else:
                    self.control.post("/fixtures", document)
            except ControlError as error:
                raise ValueError(str(error)) from None

    def reply(
        self,
        text_or_steps: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
        *,
        message: str | Mapping[str, Any] | None = None,
        name: str | None = None,
        times: int | None = None,
        outcome: str | Mapping[str, Any] | None = None,
        **when: Any,
    ) -> None:
        """Add one reply before all others: a text, a step or several steps.

        `message` and the other keyword arguments are its conditions, as in `when`.
        """
        if isinstance(text_or_steps, str):
            steps: list[Mapping[str, Any]] = [{"message": text_or_steps}]
        elif isinstance(text_or_steps, Mapping):
            steps = [text_or_steps]
        else:
            steps = list(text_or_steps)
        conditions = {**when} if message is None else {"message": message, **when}
        keys = {"name": name, "when": conditions or None, "times": times, "outcome": outcome}
        reply = {key: value for key, value in keys.items() if value is not None}
        self.fixtures({"replies": [{**reply, "steps": steps}]})

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The turns of the model: its inputs and its answers."""
        return self.control.data("/turns")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests to the API and their responses."""
        return self.control.data("/requests")

    @property
    def unmatched(self) -> list[dict[str, Any]]:
        """The runs that no reply matched, with the nearest replies."""
        return self.control.data("/unmatched")

    def verify(self, expect: Iterable[Mapping[str, Any]]) -> None:
        """Judge expectations. A failed one raises `AssertionError` with the difference."""
        __tracebackhide__ = True
        try:
            self.control.post("/verify", {"expect": list(expect)})
        except ControlError as error:
            if error.status != 422:
                raise ValueError(str(error)) from None
            failed = [it for it in error.body["results"] if not it["passed"]]
            raise AssertionError("\n\n".join(it["difference"] for it in failed)) from None

    def reset(self) -> None:
        """Remove all objects, the journal and the counts. Added fixtures stay."""
        self.control.post("/reset", {})


def _package() -> Any:
    """Return the package of the official client."""
    try:
        return importlib.import_module("openai")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the client is missing: run 'pip install openai'") from error


def _documents(fixtures: Fixtures) -> list[str | Mapping[str, Any]]:
    """Return the documents of a folder or of a file, or the document itself."""
    if isinstance(fixtures, Mapping):
        return [fixtures]
    # A YAML text has a colon before a space or a line end.
    text = os.fspath(fixtures)
    if isinstance(fixtures, str) and ("\n" in text or ": " in text):
        return [text]
    path = Path(text)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES)
    elif path.is_file():
        files = [path]
    else:
        raise ValueError(f"there are no fixtures at {path}: no such file or folder")
    return [file.read_text(encoding="utf-8") for file in files]
