/** An example conversation: two assistants, their replies, a first question. */
import type { SessionModel } from "./session";
import { go } from "./state";
import type { Thread } from "./types";

const FIXTURE = `assistants:
  - id: asst_demo_math
    name: Math Tutor
    model: gpt-4o
    instructions: You are a personal math tutor. Write and run code to answer math questions.
    tools: [{type: code_interpreter}]
  - id: asst_demo_weather
    name: Weather Bot
    model: gpt-4o
    instructions: You are a weather bot. Use the functions to answer.
    tools:
      - type: function
        function:
          name: getCurrentWeather
          description: The weather at a place.
          parameters: {type: object, properties: {location: {type: string}}, required: [location]}
      - type: function
        function:
          name: getNickname
          description: The nickname of a city.
          parameters: {type: object, properties: {location: {type: string}}, required: [location]}
replies:
  - name: demo-math
    when:
      assistant: Math Tutor
      message: {matches: '(?<a>\\d+)x \\+ (?<b>\\d+) = (?<c>\\d+)'}
    steps:
      - tool_calls:
          - code_interpreter:
              input: "x = ({{ c }} - {{ b }}) / {{ a }}\\nprint(x)"
              outputs: [{logs: "{{ (c|int - b|int) / (a|int) }}"}]
      - message: |-
          Subtract {{ b }} on both sides, then divide by {{ a }}:

          **x = {{ ((c|int - b|int) / (a|int))|round(2) }}**
  - name: demo-weather
    when:
      assistant: Weather Bot
      message: {matches: 'in (?<city>[A-Z]\\w+)'}
    steps:
      - tool_calls:
          - function: {name: getCurrentWeather, arguments: {location: "{{ city }}"}}
          - function: {name: getNickname, arguments: {location: "{{ city }}"}}
      - message: "It is {{ outputs.getCurrentWeather.temperature }} °C in {{ city }}, also known as {{ outputs.getNickname.nickname }}."
`;

export async function startDemo({ api }: SessionModel): Promise<void> {
  await api.addFixtures(FIXTURE);
  const messages = [{ role: "user", content: "Solve 3x + 11 = 14" }];
  const thread = await api.post<Thread>("v1/threads", { messages });
  await api.post(`v1/threads/${thread.id}/runs`, { assistant_id: "asst_demo_math" });
  go({ page: "thread", thread: thread.id });
}
