/** The initial text in the form of a function call. */

/**
 * The output of a function with the keys that the reply reads: an object with the keys of the paths
 * `NAME.a.b`. Undefined if the reply reads the whole output, or does not read it.
 */
export function expectedOutput(name: string, paths: readonly string[]): unknown {
  const own = paths
    .map((path) => path.split("."))
    .filter(([first, ...rest]) => first === name && rest.length > 0);
  if (own.length === 0) return undefined;
  const root: Record<string, unknown> = Object.create(null);
  for (const [, ...keys] of own) insert(root, keys);
  return root;
}

function insert(into: Record<string, unknown>, [key, ...rest]: string[]): void {
  if (key === undefined) return;
  if (rest.length === 0) {
    into[key] ??= "";
    return;
  }
  const inner = into[key];
  const next = typeof inner === "object" && inner !== null ? inner : Object.create(null);
  into[key] = next;
  insert(next as Record<string, unknown>, rest);
}

/** An example that a JSON Schema accepts. */
export function exampleOf(schema: unknown, depth = 0): unknown {
  if (typeof schema !== "object" || schema === null || depth > 8) return "";
  const {
    type,
    properties,
    items,
    enum: values,
    default: given,
    example,
  } = schema as Record<string, unknown>;
  if (example !== undefined) return example;
  if (given !== undefined) return given;
  if (Array.isArray(values)) return values[0];
  const kind = Array.isArray(type) ? type[0] : type;
  if (kind === "object" || properties !== undefined) {
    const entries = Object.entries((properties ?? {}) as Record<string, unknown>);
    return Object.fromEntries(entries.map(([key, inner]) => [key, exampleOf(inner, depth + 1)]));
  }
  if (kind === "array") return items === undefined ? [] : [exampleOf(items, depth + 1)];
  if (kind === "number" || kind === "integer") return 0;
  if (kind === "boolean") return false;
  return "";
}
