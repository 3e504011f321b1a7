"""Calls of the control API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

__all__ = ["Control", "ControlError"]

#: The server is on this machine, so a proxy cannot reach it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlError(Exception):
    """A call that the server rejected."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        """Take the message from the response."""
        super().__init__(body.get("error", {}).get("message", f"answered {status}"))
        self.status = status
        self.body = body


class Control:
    """The control API of one session, or of the server."""

    def __init__(self, url: str) -> None:
        """Take the URL of the session."""
        self._url = f"{url}/_rehearsal"

    def get(self, path: str) -> dict[str, Any]:
        """Send a GET request."""
        return self._send("GET", path, None, "application/json")

    def post(self, path: str, body: object) -> dict[str, Any]:
        """Send JSON."""
        return self._send("POST", path, json.dumps(body).encode(), "application/json")

    def post_yaml(self, path: str, text: str) -> dict[str, Any]:
        """Send YAML."""
        return self._send("POST", path, text.encode(), "application/yaml")

    def data(self, path: str) -> list[dict[str, Any]]:
        """Return the items of a list."""
        items = self.get(path)["data"]
        assert isinstance(items, list)
        return items

    def _send(self, method: str, path: str, body: bytes | None, kind: str) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + path, body, {"content-type": kind}, method=method
        )
        try:
            with _OPENER.open(request) as answer:
                read: dict[str, Any] = json.load(answer)
                return read
        except urllib.error.HTTPError as refused:
            with refused:
                raise ControlError(refused.code, json.load(refused)) from None
