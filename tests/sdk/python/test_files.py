"""Files, uploads, vector stores and the tools that use them, with the official Python client."""

import hashlib
import unittest

import openai


def pdf(*lines):
    """A PDF of one page, by hand."""
    text = " ".join(f"({line}) Tj T*" for line in lines)
    content = f"BT /F1 12 Tf 72 720 Td 14 TL {text} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = len(file)
    file += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    file += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    return file + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF".encode()


class Files(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI()
        self.beta = self.client.beta

    def upload(self, name, content, purpose="assistants"):
        return self.client.files.create(file=(name, content), purpose=purpose)

    def test_files(self):
        file = self.upload("notes.txt", b"Hello", purpose="user_data")
        self.assertEqual((file.bytes, file.filename, file.status), (5, "notes.txt", "processed"))
        self.assertEqual(self.client.files.retrieve(file.id), file)
        self.assertEqual(self.client.files.wait_for_processing(file.id).id, file.id)
        self.assertIn(file.id, [one.id for one in self.client.files.list(purpose="user_data")])
        with self.assertRaisesRegex(openai.BadRequestError, "Not allowed to download files of purpose: user_data"):
            self.client.files.content(file.id)
        self.assertTrue(self.client.files.delete(file.id).deleted)
        with self.assertRaisesRegex(openai.NotFoundError, "No such File object"):
            self.client.files.retrieve(file.id)
        expires = {"anchor": "created_at", "seconds": 3600}
        kept = self.client.files.create(file=("b.jsonl", b"{}"), purpose="batch", expires_after=expires)
        self.assertEqual(kept.expires_at, kept.created_at + 3600)
        self.assertEqual(self.client.files.content(kept.id).read(), b"{}")

    def test_uploads_by_parts(self):
        content = b"0123456789" * 1000
        uploads = self.client.uploads
        upload = uploads.create(filename="big.txt", purpose="assistants", bytes=len(content), mime_type="text/plain")
        parts = [uploads.parts.create(upload.id, data=content[at : at + 4000]).id for at in range(0, len(content), 4000)]
        done = uploads.complete(upload.id, part_ids=parts, md5=hashlib.md5(content).hexdigest())
        self.assertEqual((done.status, done.file.bytes), ("completed", len(content)))
        cancelled = uploads.create(filename="a.txt", purpose="assistants", bytes=1, mime_type="text/plain")
        self.assertEqual(uploads.cancel(cancelled.id).status, "cancelled")
        chunked = uploads.upload_file_chunked(
            file=content, filename="big.txt", bytes=len(content), mime_type="text/plain", purpose="assistants", part_size=3000
        )
        self.assertEqual(chunked.file.bytes, len(content))

    def test_vector_stores(self):
        stores = self.client.vector_stores
        store = stores.create(name="Docs")
        tea = stores.files.upload_and_poll(vector_store_id=store.id, file=("tea.md", b"# Tea\n\nGreen tea is brewed at 80 degrees."))
        self.assertEqual((tea.status, tea.chunking_strategy.static.max_chunk_size_tokens), ("completed", 800))
        batch = stores.file_batches.upload_and_poll(
            vector_store_id=store.id, files=[("coffee.txt", b"Coffee is brewed at 95 degrees."), ("shop.txt", b"We open at nine.")]
        )
        self.assertEqual((batch.status, batch.file_counts.completed), ("completed", 2))
        self.assertEqual(stores.retrieve(store.id).file_counts.completed, 3)
        found = stores.search(store.id, query="How hot for green tea?", max_num_results=2)
        self.assertEqual((found.data[0].filename, found.data[0].content[0].text), ("tea.md", "# Tea\n\nGreen tea is brewed at 80 degrees."))
        stores.files.update(tea.id, vector_store_id=store.id, attributes={"kind": "tea", "hot": 80})
        narrowed = stores.search(store.id, query="brewed", filters={"type": "gte", "key": "hot", "value": 80})
        self.assertEqual([one.file_id for one in narrowed], [tea.id])
        text = "".join(part.text for part in stores.files.content(tea.id, vector_store_id=store.id))
        self.assertIn("80 degrees", text)
        self.assertEqual(len(list(stores.files.list(store.id, filter="completed", limit=1))), 3)
        bad = stores.files.upload_and_poll(vector_store_id=store.id, file=("bad.pdf", b"not a PDF"))
        self.assertEqual((bad.status, bad.last_error.code), ("failed", "invalid_file"))
        self.assertTrue(stores.files.delete(tea.id, vector_store_id=store.id).deleted)
        self.assertTrue(stores.delete(store.id).deleted)

    def test_retrieval_with_a_citation(self):
        document = self.upload("policy.pdf", pdf("Our refund policy.", "Refunds are paid within 14 days of the return."))
        assistant = self.beta.assistants.create(
            model="gpt-4o",
            tools=[{"type": "file_search"}],
            tool_resources={"file_search": {"vector_stores": [{"file_ids": [document.id]}]}},
        )
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "How fast are refunds paid?"}])
        run = self.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        self.assertEqual(run.status, "completed")
        text = self.beta.threads.messages.list(thread_id=thread.id).data[0].content[0].text
        self.assertIn("Refunds are paid within 14 days of the return.", text.value)
        citation = text.annotations[0]
        self.assertEqual(citation.file_citation.file_id, document.id)
        self.assertEqual(text.value[citation.start_index : citation.end_index], citation.text)
        steps = self.beta.threads.runs.steps.list(
            run_id=run.id,
            thread_id=thread.id,
            order="asc",
            include=["step_details.tool_calls[*].file_search.results[*].content"],
        ).data
        result = steps[0].step_details.tool_calls[0].file_search.results[0]
        self.assertEqual(result.file_name, "policy.pdf")
        self.assertIn("14 days", result.content[0].text)

    def test_retrieval_by_streaming_an_attachment(self):
        document = self.upload("чай.md", "Зелёный чай заваривают при 80 градусах.".encode())
        assistant = self.beta.assistants.create(model="gpt-4o", tools=[{"type": "file_search"}])
        message = {
            "role": "user",
            "content": "При скольких градусах заваривать чай?",
            "attachments": [{"file_id": document.id, "tools": [{"type": "file_search"}]}],
        }
        thread = self.beta.threads.create(messages=[message])
        with self.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            stream.until_done()
            text = stream.get_final_messages()[0].content[0].text
        self.assertIn("80 градусах", text.value)
        self.assertEqual(text.annotations[0].file_citation.file_id, document.id)

    def test_code_interpreter_draws_a_png(self):
        table = self.upload("sales.csv", b"month,sales\n1,2\n")
        assistant = self.beta.assistants.create(
            model="gpt-4o", tools=[{"type": "code_interpreter"}], tool_resources={"code_interpreter": {"file_ids": [table.id]}}
        )
        thread = self.beta.threads.create(messages=[{"role": "user", "content": "Plot my sales"}])
        with self.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            stream.until_done()
            message = stream.get_final_messages()[0]
            step = stream.get_final_run_steps()[0]
        image, text = message.content
        self.assertIn("sales.csv (16 bytes)", text.text.value)
        self.assertEqual(step.step_details.tool_calls[0].code_interpreter.outputs[0].image.file_id, image.image_file.file_id)
        self.assertEqual(self.client.files.retrieve(image.image_file.file_id).purpose, "assistants_output")
        png = self.client.files.content(image.image_file.file_id).read()
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")


class AsyncFiles(unittest.IsolatedAsyncioTestCase):
    async def test_vector_stores(self):
        async with openai.AsyncOpenAI() as client:
            store = await client.vector_stores.create(name="Docs")
            file = await client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("a.txt", b"Apples are red."))
            self.assertEqual(file.status, "completed")
            found = await client.vector_stores.search(store.id, query="apple")
            self.assertEqual(found.data[0].file_id, file.id)


if __name__ == "__main__":
    unittest.main()
