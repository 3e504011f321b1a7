"""The official Python client, sync and async, unchanged but for its base URL."""

import json
import unittest

import openai

OUTPUTS = {"getCurrentWeather": "21 degrees", "getNickname": "Fog City"}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}}}
    for name in OUTPUTS
]


def outputs(run):
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": OUTPUTS[call.function.name]} for call in calls]


class Handler(openai.AssistantEventHandler):
    def __init__(self):
        super().__init__()
        self.text, self.events, self.calls = "", [], []

    def on_event(self, event):
        self.events.append(event.event)

    def on_text_delta(self, delta, snapshot):
        self.text += delta.value

    def on_tool_call_done(self, tool_call):
        self.calls.append(tool_call)


class AsyncHandler(openai.AsyncAssistantEventHandler):
    def __init__(self):
        super().__init__()
        self.text = ""

    async def on_text_delta(self, delta, snapshot):
        self.text += delta.value


class Sync(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI()
        self.beta = self.client.beta
        self.assistant = self.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="You are a math tutor.")

    def ask(self, text, **more):
        thread = self.beta.threads.create(messages=[{"role": "user", "content": text}])
        return self.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=self.assistant.id, **more)

    def test_create_and_poll(self):
        run = self.ask("I need to solve the equation `3x + 11 = 14`.", instructions="Please address the user as Jane Doe.")
        self.assertEqual(run.status, "completed")
        self.assertEqual(run.usage.total_tokens, run.usage.prompt_tokens + run.usage.completion_tokens)
        messages = self.beta.threads.messages.list(thread_id=run.thread_id, order="asc").data
        self.assertIn("Jane Doe", messages[1].content[0].text.value)
        self.assertEqual(messages[2].content[0].text.value, "x = 1")
        steps = self.beta.threads.runs.steps.list(run_id=run.id, thread_id=run.thread_id)
        self.assertEqual([step.type for step in steps], ["message_creation", "message_creation"])
        self.assertTrue(run._request_id is None or run._request_id.startswith("req_"))

    def test_create_and_run_poll(self):
        run = self.beta.threads.create_and_run_poll(
            assistant_id=self.assistant.id, thread={"messages": [{"role": "user", "content": "Hello there"}]}
        )
        self.assertEqual(run.status, "completed")

    def test_stream_with_an_event_handler(self):
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "Hello there"}])
        handler = Handler()
        with self.beta.threads.runs.stream(thread_id=thread.id, assistant_id=self.assistant.id, event_handler=handler) as stream:
            stream.until_done()
        self.assertEqual(handler.text, "Hello! How can I help you today?")
        self.assertEqual(handler.events[0], "thread.run.created")
        self.assertEqual(handler.events[-1], "thread.run.completed")
        self.assertEqual(handler.get_final_messages()[0].content[0].text.value, handler.text)
        self.assertEqual(handler.get_final_run().status, "completed")

    def test_stream_of_code_interpreter(self):
        handler = Handler()
        with self.beta.threads.create_and_run_stream(
            assistant_id=self.assistant.id,
            tools=[{"type": "code_interpreter"}],
            thread={"messages": [{"role": "user", "content": "Solve 3x + 11 = 14"}]},
            event_handler=handler,
        ) as stream:
            stream.until_done()
        self.assertIn("solve(Eq(3 * x + 11, 14), x)", handler.calls[0].code_interpreter.input)
        self.assertTrue(handler.text.endswith("x = 1"))

    def test_raw_stream(self):
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "Hello there"}])
        events = list(self.beta.threads.runs.create(thread_id=thread.id, assistant_id=self.assistant.id, stream=True))
        self.assertEqual(events[-1].event, "thread.run.completed")

    def test_functions_by_polling(self):
        run = self.ask("What's the weather in San Francisco?", tools=TOOLS)
        self.assertEqual(run.status, "requires_action")
        calls = run.required_action.submit_tool_outputs.tool_calls
        self.assertEqual(json.loads(calls[0].function.arguments), {"location": "San Francisco"})
        run = self.beta.threads.runs.submit_tool_outputs_and_poll(thread_id=run.thread_id, run_id=run.id, tool_outputs=outputs(run))
        self.assertEqual(run.status, "completed")
        answer = self.beta.threads.messages.list(thread_id=run.thread_id).data[0].content[0].text.value
        self.assertEqual(answer, "The weather in San Francisco, also known as Fog City: 21 degrees")

    def test_functions_by_streaming(self):
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "What's the weather in Oslo?"}])
        with self.beta.threads.runs.stream(thread_id=thread.id, assistant_id=self.assistant.id, tools=TOOLS) as stream:
            stream.until_done()
            run = stream.get_final_run()
        self.assertEqual(run.status, "requires_action")
        handler = Handler()
        with self.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=thread.id, run_id=run.id, tool_outputs=outputs(run), event_handler=handler
        ) as stream:
            stream.until_done()
        self.assertEqual(handler.text, "The weather in Oslo, also known as Fog City: 21 degrees")

    def test_cancel(self):
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "Hang on."}])
        run = self.beta.threads.runs.create(thread_id=thread.id, assistant_id=self.assistant.id)
        self.assertEqual(run.status, "queued")
        with self.assertRaisesRegex(openai.BadRequestError, r"Can't add messages to thread_\w+ while a run run_\w+ is active\."):
            self.beta.threads.messages.create(thread_id=thread.id, role="user", content="Hello")
        self.assertEqual(self.beta.threads.runs.cancel(run_id=run.id, thread_id=thread.id).status, "cancelling")
        self.assertEqual(self.beta.threads.runs.poll(run_id=run.id, thread_id=thread.id).status, "cancelled")

    def test_a_failed_run(self):
        run = self.ask("Fail.")
        self.assertEqual((run.status, run.last_error.code, run.last_error.message), ("failed", "rate_limit_exceeded", "Slow down."))

    def test_pages_both_ways(self):
        messages = [{"role": "user", "content": str(number)} for number in range(25)]
        thread = self.beta.threads.create(messages=messages)
        for order, numbers in [("asc", range(25)), ("desc", range(24, -1, -1))]:
            listed = self.beta.threads.messages.list(thread_id=thread.id, limit=10, order=order)
            self.assertEqual([message.content[0].text.value for message in listed], [str(number) for number in numbers])
        page = self.beta.threads.messages.list(thread_id=thread.id, limit=10, order="asc")
        second = page.get_next_page()
        before = self.beta.threads.messages.list(thread_id=thread.id, limit=10, order="asc", before=second.data[0].id)
        self.assertEqual([message.id for message in before.data], [message.id for message in page.data])

    def test_objects(self):
        thread = self.beta.threads.create(metadata={"k": "v"})
        self.assertEqual(self.beta.threads.update(thread.id, metadata={"k": "w"}).metadata, {"k": "w"})
        message = self.beta.threads.messages.create(thread.id, role="user", content="Hello")
        self.assertEqual(self.beta.threads.messages.retrieve(message.id, thread_id=thread.id).content, message.content)
        updated = self.beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"k": "v"})
        self.assertEqual(updated.metadata, {"k": "v"})
        self.assertTrue(self.beta.threads.messages.delete(message.id, thread_id=thread.id).deleted)
        self.assertTrue(self.beta.threads.delete(thread.id).deleted)
        self.assertEqual(self.beta.assistants.update(self.assistant.id, name=None).name, None)
        self.assertEqual(self.beta.assistants.retrieve(self.assistant.id).model, "gpt-4o")
        self.assertTrue(self.beta.assistants.delete(self.assistant.id).deleted)
        self.assertIn("gpt-4o", [model.id for model in self.client.models.list()])

    def test_every_class_of_error(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.beta.threads.retrieve("thread_nobody")
        self.assertEqual(caught.exception.body["message"], "No thread found with id 'thread_nobody'.")
        self.assertTrue(caught.exception.request_id.startswith("req_"))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.beta.assistants.create(model="gpt-4o", temperature=3)
        self.assertEqual((caught.exception.param, caught.exception.code), ("temperature", "decimal_above_max_value"))
        with self.assertRaises(openai.AuthenticationError) as caught:
            openai.OpenAI(api_key="sk-wrong").beta.threads.create()
        self.assertEqual(caught.exception.code, "invalid_api_key")
        with self.assertRaises(openai.PermissionDeniedError):
            self.client.get("/threads", cast_to=object, options={"headers": {"OpenAI-Beta": "assistants=v2"}})
        with self.assertRaises(openai.APIStatusError) as caught:
            self.client.delete("/models", cast_to=object)
        self.assertEqual(caught.exception.status_code, 405)


class Async(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = openai.AsyncOpenAI()
        self.beta = self.client.beta
        self.assistant = await self.beta.assistants.create(model="gpt-4o")

    async def asyncTearDown(self):
        await self.client.close()

    async def test_create_and_poll(self):
        thread = await self.beta.threads.create(messages=[{"role": "user", "content": "Solve 3x + 11 = 14"}])
        run = await self.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=self.assistant.id)
        self.assertEqual(run.status, "completed")
        texts = [message.content[0].text.value async for message in self.beta.threads.messages.list(thread_id=thread.id)]
        self.assertEqual(texts[0], "x = 1")

    async def test_functions_by_streaming(self):
        thread = await self.beta.threads.create(messages=[{"role": "user", "content": "What's the weather in Oslo?"}])
        async with self.beta.threads.runs.stream(thread_id=thread.id, assistant_id=self.assistant.id, tools=TOOLS) as stream:
            await stream.until_done()
            run = await stream.get_final_run()
        handler = AsyncHandler()
        async with self.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=thread.id, run_id=run.id, tool_outputs=outputs(run), event_handler=handler
        ) as stream:
            await stream.until_done()
        self.assertEqual(handler.text, "The weather in Oslo, also known as Fog City: 21 degrees")

    async def test_cancel(self):
        thread = await self.beta.threads.create(messages=[{"role": "user", "content": "Hang on."}])
        run = await self.beta.threads.runs.create(thread_id=thread.id, assistant_id=self.assistant.id)
        await self.beta.threads.runs.cancel(run_id=run.id, thread_id=thread.id)
        run = await self.beta.threads.runs.poll(run_id=run.id, thread_id=thread.id)
        self.assertEqual(run.status, "cancelled")

    async def test_errors(self):
        with self.assertRaises(openai.NotFoundError):
            await self.beta.assistants.retrieve("asst_nobody")


if __name__ == "__main__":
    unittest.main()
