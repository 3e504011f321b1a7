"""`langchain-openai` with the Responses API: tools, streams, and structured output."""

import unittest

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "3 degrees"


class Person(BaseModel):
    name: str
    age: int


class LangChain(unittest.TestCase):
    def setUp(self):
        self.model = ChatOpenAI(model="gpt-4o", use_responses_api=True)

    def asks_for_the_weather(self, model):
        said = [HumanMessage("The weather?")]
        said.append(model.invoke(said))
        said += [get_weather.invoke(call) for call in said[1].tool_calls]
        return model.invoke(said).text

    def test_a_tool(self):
        answer = self.asks_for_the_weather(self.model.bind_tools([get_weather]))
        self.assertEqual(answer, "It is 3 degrees in Rome.")

    def test_a_tool_over_a_chain(self):
        chained = ChatOpenAI(model="gpt-4o", use_responses_api=True, use_previous_response_id=True)
        answer = self.asks_for_the_weather(chained.bind_tools([get_weather]))
        self.assertEqual(answer, "It is 3 degrees in Rome.")

    def test_a_stream(self):
        pieces = [piece.text for piece in self.model.stream("One")]
        self.assertEqual("".join(pieces), "Turn 1: One")
        self.assertGreater(len([piece for piece in pieces if piece]), 1)

    def test_structured_output(self):
        self.assertEqual(self.model.with_structured_output(Person).invoke("Who?"), Person(name="Ada", age=36))
