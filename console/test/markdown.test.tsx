import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComponentChildren, VNode } from "preact";
import { element, parse } from "../src/markdown";

interface Shown {
  tags: string[];
  links: string[];
  text: string;
}

/** The rendered form of a text: its tags, its links, its words. */
function shown(text: string, marks: { text: string; render: () => VNode }[] = []): Shown {
  const found: Shown = { tags: [], links: [], text: "" };
  const walk = (node: ComponentChildren): void => {
    if (Array.isArray(node)) {
      node.forEach(walk);
    } else if (typeof node === "string") {
      found.text += node;
    } else if (typeof node === "object" && node !== null && "type" in node) {
      const { type, props } = node as VNode<{ children?: ComponentChildren; href?: string }>;
      if (typeof type === "string") {
        found.tags.push(type);
        if (props.href !== undefined) found.links.push(props.href);
        walk(props.children);
      } else {
        walk((type as (props: unknown) => ComponentChildren)(props));
      }
    }
  };
  for (const child of parse(text)?.children ?? []) walk(element(child, marks));
  return found;
}

test("Markdown becomes elements", () => {
  const text =
    "# A\n\n**b** *c* `d` [e](https://e.example)\n\n- f\n\n```\ng\n```\n\n| h | i |\n|---|---|\n| j | k |";
  const { tags, links } = shown(text);
  for (const tag of ["h3", "strong", "em", "code", "a", "ul", "li", "pre", "table", "td"]) {
    assert.ok(tags.includes(tag), tag);
  }
  assert.deepEqual(links, ["https://e.example"]);
});

test("HTML stays text, and links lead only to the web", () => {
  for (const evil of [
    "<script>alert(1)</script>",
    "a <img src=x onerror=alert(1)> b",
    "[x](javascript:alert(1))",
    "[x](  JaVaScRiPt:alert(1))",
    "[x](data:text/html,y)",
    "[x](vbscript:y)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](http://evil.example/pixel.png)",
    "&#60;script&#62;",
    "[x][y]\n\n[y]: javascript:alert(1)",
  ]) {
    const { tags, links } = shown(evil);
    const known = new Set(["p", "a", "code", "em"]);
    assert.deepEqual(
      tags.filter((tag) => !known.has(tag)),
      [],
      evil,
    );
    assert.deepEqual(
      links.filter((link) => !link.startsWith("http")),
      [],
      evil,
    );
  }
});

test("marks replace every copy of their texts", () => {
  const marks = [{ text: "【1†a】", render: () => <b>1</b> }];
  const { tags, text } = shown("x【1†a】y *z【1†a】*", marks);
  assert.equal(tags.filter((tag) => tag === "b").length, 2);
  assert.ok(!text.includes("†"));
  assert.deepEqual(
    shown("[it](sandbox:/a)", [{ text: "sandbox:/a", render: () => <b>2</b> }]).tags,
    ["p", "b"],
  );
});

test("a text with too many levels has no tree", () => {
  for (const text of [`${">".repeat(600)}a`, `${"- ".repeat(2000)}a`]) {
    let tree: unknown;
    try {
      tree = parse(text);
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
    assert.equal(tree, undefined);
  }
  assert.ok(parse("> - > - > a") !== undefined);
});
