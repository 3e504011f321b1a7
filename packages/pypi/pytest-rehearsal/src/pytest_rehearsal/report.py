"""The report of a session after its test has failed."""

from __future__ import annotations

from typing import Any

from .session import Rehearsal

__all__ = ["section", "unmatched_text"]

#: The maximum length of a shown text.
_SHOWN = 300


def section(session: Rehearsal) -> str:
    """Return the turns of a session, and its unmatched runs."""
    turns = [_turn(turn) for turn in session.turns] or ["there were no turns"]
    runs = session.unmatched
    return "\n".join([*turns, *([unmatched_text(runs)] if runs else [])])


def unmatched_text(runs: list[dict[str, Any]]) -> str:
    """Return the unmatched runs, with the nearest replies."""
    return "\n".join(_unmatched(run) for run in runs)


def _turn(turn: dict[str, Any]) -> str:
    asked, answered = turn["asked"], turn["answered"]
    said = [message["content"] for message in asked["messages"] if message["role"] == "user"]
    calls = [f"{call['name']}({call['arguments']})" for call in answered["tool_calls"]]
    lines = [
        f"turn {turn['number']} of {turn['run']}: {answered['status']}, "
        f"reply {answered['reply'] or 'none'}",
        f"  instructions: {_short(asked['instructions'])}",
        f"  message: {_short(said[-1] if said else None)}",
    ]
    lines += [f"  output of {it['name']}: {_short(it['output'])}" for it in asked["tool_outputs"]]
    lines += [f"  call: {_short(call)}" for call in calls]
    lines += [f"  answer: {_short(answered['text'])}"] if answered["text"] else []
    return "\n".join(lines)


def _unmatched(run: dict[str, Any]) -> str:
    lines = [f"no reply matches the run {run['run']} (message: {_short(run['message'])})"]
    for near in run["nearest"]:
        place = f"{near['file']}:{near['line']}"
        title = f"{near['reply']} ({place})" if near["reply"] else place
        why = "used up" if near["used_up"] else "; ".join(map(_miss, near["misses"]))
        lines.append(f"  nearest is {title}: {why}")
    lines += ["  to answer it, add:", *(f"    {line}" for line in run["stub"].splitlines())]
    return "\n".join(lines)


def _miss(miss: dict[str, Any]) -> str:
    hint = f" ({miss['hint']})" if miss["hint"] else ""
    return f"{miss['condition']}: expected {miss['expected']}, got {miss['got']}{hint}"


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    return repr(text) if len(text) <= _SHOWN else repr(text[:_SHOWN]) + "…"
