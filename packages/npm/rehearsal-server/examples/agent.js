// An application. It creates its client when it is loaded, as most applications do.
import OpenAI from "openai";

const client = new OpenAI();

export async function ask(text) {
  const assistant = await client.beta.assistants.create({ model: "gpt-4o", instructions: "Be kind." });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: text }] });
  await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  const { data } = await client.beta.threads.messages.list(thread.id);
  return data[0].content[0].text.value;
}
