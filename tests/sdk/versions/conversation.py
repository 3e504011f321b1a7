"""One conversation with the Assistants API, with the installed version of the package `openai`.

It reads OPENAI_BASE_URL and OPENAI_API_KEY. With the argument `azure`, it reads
AZURE_OPENAI_ENDPOINT, OPENAI_API_VERSION and AZURE_OPENAI_API_KEY (or else OPENAI_API_KEY). It
prints the completed parts.
"""

import inspect
import json
import os
import sys
import time
import warnings

import openai

# The newer versions warn at each call that the API is deprecated.
warnings.simplefilter("ignore", DeprecationWarning)

if sys.argv[1:] == ["azure"]:
    client = openai.AzureOpenAI(api_key=os.environ.get("AZURE_OPENAI_API_KEY") or os.environ["OPENAI_API_KEY"])
else:
    client = openai.OpenAI()
assistants, threads = client.beta.assistants, client.beta.threads

# Versions before 1.21 use the v1 beta: assistants have files of their own, and search them with
# `retrieval`.
V1 = hasattr(assistants, "files")
# The v1 beta does not have later models.
MODEL = "gpt-4-turbo" if V1 else "gpt-4o"
# The first versions cannot stream runs.
STREAMS = "stream" in inspect.signature(threads.runs.create).parameters

EQUATION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
JANE = "Please address the user as Jane Doe."
OUTPUTS = {"getCurrentWeather": "21 degrees", "getNickname": "Fog City"}
PLACE = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
FUNCTIONS = [{"type": "function", "function": {"name": name, "parameters": PLACE}} for name in OUTPUTS]


def ask(text):
    thread = threads.create()
    message = threads.messages.create(thread.id, role="user", content=text)
    assert (message.role, message.content[0].text.value) == ("user", text), message
    return thread


def wait(run):
    """Polls without a helper: the first versions have none."""
    for _ in range(100):
        if run.status not in ("queued", "in_progress"):
            return run
        time.sleep(0.05)
        run = threads.runs.retrieve(run.id, thread_id=run.thread_id)
    raise AssertionError(run)


def answers(thread):
    """The texts of the assistant's messages, oldest first."""
    messages = threads.messages.list(thread.id, order="asc")
    return [message.content[0].text for message in messages if message.role == "assistant"]


def plain(tutor):
    thread = ask(EQUATION)
    run = wait(threads.runs.create(thread.id, assistant_id=tutor.id, instructions=JANE))
    assert run.status == "completed", run
    first, last = answers(thread)
    assert "Jane Doe" in first.value and last.value == "x = 1", (first, last)
    steps = threads.runs.steps.list(run.id, thread_id=thread.id).data
    assert [step.type for step in steps] == ["message_creation"] * 2, steps


def function():
    bot = assistants.create(model=MODEL, name="Weather Bot", tools=FUNCTIONS)
    assert [tool.function.name for tool in bot.tools] == list(OUTPUTS), bot
    thread = ask("What's the weather in San Francisco?")
    run = wait(threads.runs.create(thread.id, assistant_id=bot.id))
    assert run.status == "requires_action", run
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [call.function.name for call in calls] == list(OUTPUTS), calls
    assert json.loads(calls[0].function.arguments) == {"location": "San Francisco"}, calls
    outputs = [{"tool_call_id": call.id, "output": OUTPUTS[call.function.name]} for call in calls]
    run = wait(threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs))
    assert run.status == "completed", run
    assert answers(thread)[-1].value == "The weather in San Francisco, also known as Fog City: 21 degrees"


def file():
    text = b"Our refund policy.\n\nRefunds are paid within 14 days of the return.\n"
    uploaded = client.files.create(file=("refunds.txt", text), purpose="assistants")
    assert (uploaded.filename, uploaded.bytes) == ("refunds.txt", len(text)), uploaded
    if V1:
        bot = assistants.create(model=MODEL, name="Support Bot", tools=[{"type": "retrieval"}], file_ids=[uploaded.id])
        assert bot.file_ids == [uploaded.id] and bot.tools[0].type == "retrieval", bot
        assert [one.id for one in assistants.files.list(bot.id)] == [uploaded.id]
        assert assistants.files.retrieve(uploaded.id, assistant_id=bot.id).assistant_id == bot.id
    else:
        stores = client.vector_stores if hasattr(client, "vector_stores") else client.beta.vector_stores
        store = stores.create(name="Policies", file_ids=[uploaded.id])
        bot = assistants.create(
            model=MODEL,
            name="Support Bot",
            tools=[{"type": "file_search"}],
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
    thread = ask("How fast are refunds paid?")
    run = wait(threads.runs.create(thread.id, assistant_id=bot.id))
    assert run.status == "completed", run
    (answer,) = answers(thread)
    assert "Refunds are paid within 14 days of the return." in answer.value, answer
    (citation,) = answer.annotations
    assert citation.type == "file_citation" and citation.file_citation.file_id == uploaded.id, citation
    assert answer.value[citation.start_index : citation.end_index] == citation.text, answer
    if V1:
        assert "14 days" in citation.file_citation.quote, citation
        assert citation.text.endswith("†source】"), citation
    else:
        assert citation.text.endswith("†refunds.txt】"), citation


def stream(tutor):
    thread = ask(EQUATION)
    events = list(threads.runs.create(thread.id, assistant_id=tutor.id, instructions=JANE, stream=True))
    assert events[0].event == "thread.run.created", events[0]
    assert events[-1].event == "thread.run.completed", events[-1]
    deltas = [event.data for event in events if event.event == "thread.message.delta"]
    text = "".join(delta.delta.content[0].text.value or "" for delta in deltas)
    assert text == "".join(answer.value for answer in answers(thread)), text

    class Handler(openai.AssistantEventHandler):
        text = ""

        def on_text_delta(self, delta, snapshot):
            self.text += delta.value or ""

    handler = Handler()
    with threads.runs.stream(thread_id=ask(EQUATION).id, assistant_id=tutor.id, instructions=JANE, event_handler=handler) as held:
        held.until_done()
    assert handler.text == text, handler.text
    assert [message.content[0].text.value for message in handler.get_final_messages()][-1] == "x = 1"


def pages():
    thread = threads.create(messages=[{"role": "user", "content": f"Message {number}"} for number in range(25)])
    listed = list(threads.messages.list(thread.id, limit=10, order="asc"))
    assert [message.content[0].text.value for message in listed] == [f"Message {number}" for number in range(25)], listed
    assert len({message.id for message in listed}) == 25, listed


tutor = assistants.create(model=MODEL, name="Math Tutor", instructions="You are a personal math tutor.")
plain(tutor)
function()
file()
if STREAMS:
    stream(tutor)
pages()
print(f"openai {openai.__version__}: plain, function, file,{' stream,' if STREAMS else ''} pages")
