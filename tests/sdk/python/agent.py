"""A typical application: it asks for the weather, and says hello."""

import openai

client = openai.OpenAI()

assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Weather Bot",
    instructions="Answer in German.",
    tools=[{"type": "function", "function": {"name": "look"}}],
)
thread = client.beta.threads.create(messages=[{"role": "user", "content": "The weather in Oslo?"}])
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, metadata={"tier": "gold"}
)
calls = run.required_action.submit_tool_outputs.tool_calls
run = client.beta.threads.runs.submit_tool_outputs_and_poll(
    run_id=run.id,
    thread_id=thread.id,
    tool_outputs=[{"tool_call_id": call.id, "output": "3 degrees"} for call in calls],
)
assert run.status == "completed", run.status
client.beta.threads.messages.create(thread.id, role="user", content="Hello")
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id, assistant_id=assistant.id, additional_instructions="Be brief."
)
assert run.status == "completed", run.status
