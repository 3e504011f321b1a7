import pytest


@pytest.mark.rehearsal(fixtures="fixtures")
def test_the_agent_looks_the_capital_up(rehearsal):
    client = rehearsal.client()
    assistant = client.beta.assistants.create(
        model="gpt-4o",
        instructions="Answer in one word.",
        tools=[{"type": "function", "function": {"name": "look_up"}}],
    )
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "What is the capital of France?"}]
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    [call] = run.required_action.submit_tool_outputs.tool_calls
    assert call.function.arguments == '{"country":"France"}'
    client.beta.threads.runs.submit_tool_outputs_and_poll(
        thread_id=thread.id,
        run_id=run.id,
        tool_outputs=[{"tool_call_id": call.id, "output": "Paris"}],
    )
    [answer, _] = client.beta.threads.messages.list(thread.id)
    assert answer.content[0].text.value == "Paris"
    rehearsal.verify([{"turn": {"tool_outputs": {"look_up": "Paris"}}}])
