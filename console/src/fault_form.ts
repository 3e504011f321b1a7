/** A fault as a form, and as a fixture. */

export interface FaultForm {
  effect: "respond" | "events" | "bytes" | "delay";
  /** The status, the number of events or bytes, or the delay. */
  amount: string;
  method: string;
  path: string;
  times: string;
}

export const NO_FAULT: FaultForm = {
  effect: "events",
  amount: "3",
  method: "POST",
  path: "/v1/threads/**",
  times: "1",
};

/** JSON is also YAML, so nothing else needs an escape. */
export function faultYaml({ effect, amount, method, path, times }: FaultForm): string {
  const when = {
    ...(method !== "" && { method }),
    ...(path !== "" && { path }),
    ...(effect === "events" && { stream: true }),
  };
  const fault = {
    when,
    ...(times !== "" && { times: numbered(times) }),
    ...(effect === "respond" && { respond: { status: numbered(amount) } }),
    ...(effect === "events" && { disconnect: { events: numbered(amount) } }),
    ...(effect === "bytes" && { disconnect: { bytes: numbered(amount) } }),
    ...(effect === "delay" && { delay: amount }),
  };
  return `faults:\n  - ${JSON.stringify(fault)}\n`;
}

/** A number, or the text unchanged: the server reports its mistakes. */
function numbered(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
