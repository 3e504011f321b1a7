"""An agent with a tool, as in the quickstart of the OpenAI Agents SDK."""

import asyncio

from agents import Agent, Runner, function_tool


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "18 degrees"


async def main():
    agent = Agent(name="Weather", instructions="Be brief.", model="gpt-4o", tools=[get_weather])
    result = await Runner.run(agent, "How is the weather?")
    print(result.final_output)


asyncio.run(main())
