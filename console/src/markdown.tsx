/**
 * Markdown as elements, never as HTML. HTML in the text is shown as text, images become links, and
 * links may only lead to the web.
 */
import type { Nodes, Parents, Root } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTable } from "micromark-extension-gfm-table";
import { type ComponentChildren, createElement, Fragment, type VNode } from "preact";
import { useMemo } from "preact/hooks";

/** A longer text is shown as plain text: the parser would block the page. */
const LONGEST = 50_000;
/** The maximum depth of nested lists and quotes. A deeper text is shown as plain text. */
const DEEPEST = 60;

/** A part of the text that is replaced, such as a citation. */
export interface Mark {
  text: string;
  render: () => VNode;
}

export function Markdown({ text, marks = [] }: { text: string; marks?: Mark[] }) {
  const isLong = text.length > LONGEST;
  const tree = useMemo(() => (isLong ? undefined : parsed(text)), [text, isLong]);
  if (tree === undefined) return <p class="plain">{text}</p>;
  return <div class="markdown">{childrenOf(tree, marks)}</div>;
}

/** The parser itself is recursive, so a deep text may be too much for it. */
function parsed(text: string): Root | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** The text as a tree. Undefined if it is nested too deeply. */
export function parse(text: string): Root | undefined {
  const tree = fromMarkdown(text, {
    extensions: [gfmTable()],
    mdastExtensions: [gfmTableFromMarkdown()],
  });
  return isDeeper(tree, DEEPEST) ? undefined : tree;
}

function isDeeper(tree: Root, depth: number): boolean {
  let level: Nodes[] = [tree];
  for (let left = depth; level.length > 0; left--) {
    if (left === 0) return true;
    level = level.flatMap((node) => ("children" in node ? node.children : []));
  }
  return false;
}

function childrenOf(node: Parents, marks: Mark[]): ComponentChildren[] {
  return node.children.map((child, place) => (
    <Fragment key={place}>{element(child, marks)}</Fragment>
  ));
}

/** One node. A node without its own element is shown as text. */
export function element(node: Nodes, marks: Mark[]): ComponentChildren {
  switch (node.type) {
    case "text":
      return marked(node.value, marks);
    case "paragraph":
      return <p>{childrenOf(node, marks)}</p>;
    case "heading":
      return createElement(`h${Math.min(node.depth + 2, 6)}`, {}, childrenOf(node, marks));
    case "emphasis":
      return <em>{childrenOf(node, marks)}</em>;
    case "strong":
      return <strong>{childrenOf(node, marks)}</strong>;
    case "inlineCode":
      return <code>{node.value}</code>;
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{node.value}</code>
        </pre>
      );
    case "blockquote":
      return <blockquote>{childrenOf(node, marks)}</blockquote>;
    case "list":
      return createElement(node.ordered ? "ol" : "ul", {}, childrenOf(node, marks));
    case "listItem":
      return <li>{childrenOf(node, marks)}</li>;
    case "break":
      return <br />;
    case "thematicBreak":
      return <hr />;
    case "table":
      return (
        <table>
          <tbody>{childrenOf(node, marks)}</tbody>
        </table>
      );
    case "tableRow":
      return <tr>{childrenOf(node, marks)}</tr>;
    case "tableCell":
      return <td>{childrenOf(node, marks)}</td>;
    case "link": {
      const mark = marks.find((mark) => mark.text === node.url);
      return mark?.render() ?? <Link url={node.url}>{childrenOf(node, marks)}</Link>;
    }
    case "image":
      return <Link url={node.url}>{node.alt || node.url}</Link>;
    default:
      return "value" in node ? node.value : "children" in node ? childrenOf(node, marks) : null;
  }
}

/** A text with its marks replaced. */
function marked(text: string, marks: Mark[]): ComponentChildren {
  const known = marks.filter((mark) => mark.text !== "");
  if (!known.some((mark) => text.includes(mark.text))) return text;
  const pieces: ComponentChildren[] = [];
  for (let left = text; left !== ""; ) {
    const places = known.map((mark) => ({ mark, at: left.indexOf(mark.text) }));
    const [first] = places.filter(({ at }) => at >= 0).sort((one, other) => one.at - other.at);
    if (first === undefined) {
      pieces.push(left);
      break;
    }
    pieces.push(left.slice(0, first.at), first.mark.render());
    left = left.slice(first.at + first.mark.text.length);
  }
  return pieces.map((piece, place) => <Fragment key={place}>{piece}</Fragment>);
}

/**
 * Opens another tab, which cannot see the opener. Links that do not lead to the web become text.
 */
function Link({ url, children }: { url: string; children: ComponentChildren }) {
  if (!/^https?:\/\//i.test(url)) return <>{children}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}
