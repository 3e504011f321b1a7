"""A pytest fixture for Rehearsal, a local emulator of the OpenAI Assistants API."""

from .session import Clock, Rehearsal

__all__ = ["Clock", "Rehearsal"]
