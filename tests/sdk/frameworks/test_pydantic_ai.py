"""`pydantic-ai` with its model for Responses: a tool, a history, a stream, and structured output."""

import unittest

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel

MODEL = OpenAIResponsesModel("gpt-4o")
WEATHER = Agent(MODEL)


@WEATHER.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "3 degrees"


class Person(BaseModel):
    name: str
    age: int


class PydanticAi(unittest.IsolatedAsyncioTestCase):
    async def test_a_tool_and_a_history(self):
        first = await WEATHER.run("The weather?")
        self.assertEqual(first.output, "It is 3 degrees in Rome.")
        second = await WEATHER.run("More", message_history=first.all_messages())
        self.assertEqual(second.output, "Turn 2: More")

    async def test_a_stream(self):
        async with WEATHER.run_stream("The weather?") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        self.assertEqual("".join(pieces), "It is 3 degrees in Rome.")

    async def test_structured_output(self):
        result = await Agent(MODEL, output_type=NativeOutput(Person)).run("Who?")
        self.assertEqual(result.output, Person(name="Ada", age=36))
