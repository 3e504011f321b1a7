"""LlamaIndex with its model for Responses: an agent with a tool, and a stream."""

import os
import unittest

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses

# This library has another variable for the base URL.
MODEL = OpenAIResponses(model="gpt-4o", api_base=os.environ["OPENAI_BASE_URL"])


def get_weather(city: str) -> str:
    """The weather in a city."""
    return "3 degrees"


class LlamaIndex(unittest.IsolatedAsyncioTestCase):
    async def test_a_tool(self):
        agent = FunctionAgent(llm=MODEL, tools=[FunctionTool.from_defaults(get_weather)])
        self.assertEqual(str(await agent.run("The weather?")), "It is 3 degrees in Rome.")

    def test_a_stream(self):
        pieces = MODEL.stream_chat([ChatMessage(role="user", content="One")])
        self.assertEqual("".join(piece.delta for piece in pieces), "Turn 1: One")
