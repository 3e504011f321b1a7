"""Responses and Conversations with the official Python client, sync and async."""

import json
import unittest

import openai
from pydantic import BaseModel

LOOK = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
MODEL = "gpt-5"
ASKED = [{"role": "user", "content": "Look at the weather."}]


def outputs(response):
    calls = [item for item in response.output if item.type == "function_call"]
    return [{"type": "function_call_output", "call_id": call.call_id, "output": "cold"} for call in calls]


class Person(BaseModel):
    name: str
    age: int


class Responses(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI()
        self.responses = self.client.responses

    def test_create_retrieve_and_delete(self):
        response = self.responses.create(model=MODEL, input="Hello", metadata={"a": "b"})
        self.assertEqual(response.output_text, "Hello! How can I help you today?")
        self.assertEqual(self.responses.retrieve(response.id), response)
        items = self.responses.input_items.list(response.id)
        self.assertEqual([item.content[0].text for item in items], ["Hello"])
        self.responses.delete(response.id)
        with self.assertRaisesRegex(openai.NotFoundError, "not found"):
            self.responses.retrieve(response.id)

    def test_streams_as_events_and_by_the_helper(self):
        with self.responses.create(model=MODEL, input="Hello", stream=True) as stream:
            events = list(stream)
        self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.completed"))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        with self.responses.stream(model=MODEL, input="Hello") as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            final = stream.get_final_response()
        self.assertEqual(text, final.output_text)

    def test_structured_output_is_parsed(self):
        parsed = self.responses.parse(model="gpt-4o", input="Who is it?", text_format=Person)
        self.assertEqual(parsed.output_parsed, Person(name="Ada", age=36))
        with self.responses.stream(model="gpt-4o", input="Who is it?", text_format=Person) as stream:
            self.assertEqual(stream.get_final_response().output_parsed.name, "Ada")
        refused = self.responses.parse(model="gpt-4o", input="Refuse.", text_format=Person)
        self.assertEqual(refused.output[0].content[0].refusal, "No.")

    def test_the_function_loop_by_chain_conversation_and_list(self):
        first = self.responses.create(model=MODEL, input=ASKED, tools=[LOOK])
        self.assertEqual(len(outputs(first)), 2)
        self.assertEqual(json.loads(first.output[1].arguments), {"city": "Oslo"})
        done = self.responses.create(model=MODEL, previous_response_id=first.id, input=outputs(first), tools=[LOOK])
        self.assertEqual(done.output_text, "It is cold and cold.")

        conversation = self.client.conversations.create()
        called = self.responses.create(model=MODEL, input=ASKED, conversation=conversation.id, tools=[LOOK])
        done = self.responses.create(model=MODEL, input=outputs(called), conversation=conversation.id, tools=[LOOK])
        self.assertEqual(done.output_text, "It is cold and cold.")

        include = ["reasoning.encrypted_content"]
        items, kept = list(ASKED), dict(store=False, include=include, tools=[LOOK])
        with self.responses.stream(model=MODEL, input=items, **kept) as stream:
            called = stream.get_final_response()
        self.assertTrue(called.output[0].encrypted_content)
        items += called.output + outputs(called)
        done = self.responses.create(model=MODEL, input=items, **kept)
        self.assertEqual(done.output_text, "It is cold and cold.")

    def test_background_poll_cancel_and_a_stream_that_is_taken_up(self):
        queued = self.responses.create(model=MODEL, input="Hello", background=True)
        while queued.status in ("queued", "in_progress"):
            queued = self.responses.retrieve(queued.id)
        self.assertEqual(queued.status, "completed")
        hanging = self.responses.create(model=MODEL, input="Hang on.", background=True)
        self.assertEqual(self.responses.cancel(hanging.id).status, "cancelled")
        with self.responses.create(model=MODEL, input="Hello", background=True, stream=True) as stream:
            whole = list(stream)
        rest = list(self.responses.retrieve(whole[0].response.id, stream=True, starting_after=4))
        self.assertEqual([event.sequence_number for event in rest], list(range(5, len(whole))))

    def test_failures_and_refusals(self):
        failed = self.responses.create(model=MODEL, input="Fail.")
        self.assertEqual((failed.status, failed.error.code), ("failed", "rate_limit_exceeded"))
        with self.assertRaisesRegex(openai.APIError, "Slow down"):
            list(self.responses.create(model=MODEL, input="Fail.", stream=True))
        with self.assertRaises(openai.BadRequestError) as refused:
            self.responses.create(model=MODEL, input="x", previous_response_id="resp_none")
        self.assertEqual(refused.exception.code, "previous_response_not_found")
        count = self.responses.input_tokens.count(model=MODEL, input="Hello")
        self.assertGreater(count.input_tokens, 0)

    def test_conversations_and_their_items(self):
        conversations = self.client.conversations
        made = conversations.create(metadata={"a": "b"}, items=[{"role": "user", "content": "Before"}])
        self.assertEqual(conversations.retrieve(made.id), made)
        self.assertEqual(conversations.update(made.id, metadata={"c": "d"}).metadata, {"c": "d"})
        self.responses.create(model=MODEL, input="Hello", conversation=made.id)
        items = list(conversations.items.list(made.id, limit=1))
        self.assertEqual([item.role for item in items], ["assistant", "user", "user"])
        self.assertEqual(conversations.items.retrieve(items[0].id, conversation_id=made.id).id, items[0].id)
        conversations.items.delete(items[0].id, conversation_id=made.id)
        self.assertEqual(len(list(conversations.items.list(made.id))), 2)
        self.assertTrue(conversations.delete(made.id).deleted)

    def test_containers_and_their_files(self):
        containers = self.client.containers
        made = containers.create(name="Mine", expires_after={"anchor": "last_active_at", "minutes": 10})
        self.assertEqual(containers.retrieve(made.id).to_dict(), made.to_dict())
        self.assertIn(made.id, [container.id for container in containers.list()])
        file = containers.files.create(made.id, file=("a.csv", b"a,b"))
        found = containers.files.retrieve(file.id, container_id=made.id)
        self.assertEqual(found.to_dict(), file.to_dict())
        self.assertEqual([it.id for it in containers.files.list(made.id)], [file.id])
        self.assertEqual(containers.files.content.retrieve(file.id, container_id=made.id).read(), b"a,b")
        containers.files.delete(file.id, container_id=made.id)
        containers.delete(made.id)
        with self.assertRaisesRegex(openai.NotFoundError, "not found"):
            containers.retrieve(made.id)

    def test_a_chain_is_compacted(self):
        first = self.responses.create(model=MODEL, input="Hello")
        compacted = self.responses.compact(model=MODEL, previous_response_id=first.id)
        self.assertEqual([item.type for item in compacted.output], ["message", "compaction"])
        given = [item.model_dump(exclude_none=True) for item in compacted.output]
        again = self.responses.create(model=MODEL, input=given + [{"role": "user", "content": "Hello"}])
        self.assertEqual(again.output_text, "Hello! How can I help you today?")


class Async(unittest.IsolatedAsyncioTestCase):
    async def test_a_stream(self):
        async with openai.AsyncOpenAI() as client:
            async with client.responses.stream(model=MODEL, input="Hello") as stream:
                final = await stream.get_final_response()
            self.assertEqual(final.output_text, "Hello! How can I help you today?")
