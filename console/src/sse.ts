/** Parses server-sent events from text in pieces of any size. */

export interface SseEvent {
  name: string;
  data: string;
}

export class SseParser {
  #rest = "";
  #name = "";
  #data: string[] = [];

  /** Takes a piece of text, and returns the complete events. */
  push(piece: string): SseEvent[] {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line.replace(/\r$/, "")));
  }

  #line(line: string): SseEvent[] {
    if (line === "") {
      const event = { name: this.#name || "message", data: this.#data.join("\n") };
      const isWhole = this.#data.length > 0;
      this.#name = "";
      this.#data = [];
      return isWhole ? [event] : [];
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === "event") this.#name = value ?? "";
    if (field === "data") this.#data.push(value ?? "");
    return [];
  }
}

/** The events of a response, as they arrive. */
export async function* eventsOf(response: Response): AsyncGenerator<SseEvent> {
  if (response.body === null) return;
  const parser = new SseParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
