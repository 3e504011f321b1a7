/** The view of an empty session: three lines for a first request, and an example conversation. */
import { useSignal } from "@preact/signals";
import { exampleKey } from "./api";
import { startDemo } from "./demo";
import { session } from "./state";
import { Action, Box, Copy } from "./ui";

type Language = "Python" | "Node" | "curl";

function snippet(language: Language, base: string): string {
  const key = exampleKey();
  if (language === "Python") {
    return `from openai import OpenAI
client = OpenAI(base_url="${base}", api_key="${key}")
print(client.beta.assistants.create(model="gpt-4o"))`;
  }
  if (language === "Node") {
    return `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "${base}", apiKey: "${key}" });
console.log(await client.beta.assistants.create({ model: "gpt-4o" }));`;
  }
  return `curl ${base}/assistants \\
  -H "Authorization: Bearer ${key}" -H "OpenAI-Beta: assistants=v2" \\
  -H "Content-Type: application/json" -d '{"model": "gpt-4o"}'`;
}

export function Start() {
  const language = useSignal<Language>("Python");
  const text = snippet(language.value, session.value.api.baseURL);
  return (
    <section class="start">
      <h1>No run yet</h1>
      <p>Point your client at this server. Its runs appear here as they happen.</p>
      <fieldset class="tabs">
        <legend class="unseen">Language</legend>
        {(["Python", "Node", "curl"] as const).map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="language"
              checked={language.value === name}
              onChange={() => {
                language.value = name;
              }}
            />
            {name}
          </label>
        ))}
      </fieldset>
      <Box text={text} label={`First request in ${language.value}`} />
      <p>
        <Copy text={text} />
      </p>
      <h2>Or look at a conversation first</h2>
      <p>
        This puts two assistants and their replies into this session, a math tutor and a weather
        bot, and asks the tutor a question.
      </p>
      <Action isMain act={() => startDemo(session.value)}>
        Start the demo
      </Action>
    </section>
  );
}
