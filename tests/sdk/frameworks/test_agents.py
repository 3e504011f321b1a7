"""The OpenAI Agents SDK for Python: a tool, a hand-off, sessions, a stream, and structured output."""

import unittest

from agents import (
    Agent,
    OpenAIConversationsSession,
    Runner,
    SQLiteSession,
    function_tool,
    set_default_openai_client,
)
from openai import AsyncOpenAI
from pydantic import BaseModel


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "3 degrees"


class Person(BaseModel):
    name: str
    age: int


WEATHER = Agent(name="Weather", instructions="You know the weather.", tools=[get_weather])
TRIAGE = Agent(name="Triage", instructions="You hand off.", handoffs=[WEATHER])
PLAIN = Agent(name="Plain", instructions="You repeat.")


class Agents(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        # Each test has its own event loop.
        set_default_openai_client(AsyncOpenAI())

    async def test_a_tool(self):
        result = await Runner.run(WEATHER, "The weather?")
        self.assertEqual(result.final_output, "It is 3 degrees in Rome.")

    async def test_a_stream(self):
        result = Runner.run_streamed(WEATHER, "The weather?")
        kinds = [event.type async for event in result.stream_events()]
        self.assertIn("run_item_stream_event", kinds)
        self.assertEqual(result.final_output, "It is 3 degrees in Rome.")

    async def test_a_hand_off(self):
        result = await Runner.run(TRIAGE, "And in Oslo?")
        self.assertEqual(result.final_output, "It is 3 degrees in Oslo.")
        self.assertEqual(result.last_agent.name, "Weather")

    async def test_sessions(self):
        for session in [SQLiteSession("one"), OpenAIConversationsSession()]:
            await Runner.run(PLAIN, "One", session=session)
            result = await Runner.run(PLAIN, "Two", session=session)
            self.assertEqual(result.final_output, "Turn 2: Two")

    async def test_a_chain(self):
        first = await Runner.run(PLAIN, "One")
        second = await Runner.run(PLAIN, "Two", previous_response_id=first.last_response_id)
        self.assertEqual(second.final_output, "Turn 2: Two")

    async def test_structured_output(self):
        result = await Runner.run(Agent(name="Typed", output_type=Person), "Who?")
        self.assertEqual(result.final_output, Person(name="Ada", age=36))
