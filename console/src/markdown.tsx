/**
 * Markdown as elements: never as HTML. What is written as HTML is shown as it is written, images
 * are links, and links lead to the web only.
 */
import type { Nodes, Parents } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTable } from "micromark-extension-gfm-table";
import { type ComponentChildren, createElement, Fragment, type VNode } from "preact";
import { useMemo } from "preact/hooks";

/** A text that is longer is shown as plain text: reading it would hold up the page. */
const LONGEST = 50_000;

/** A piece of text that stands for something else, such as a citation. */
export interface Mark {
  text: string;
  render: () => VNode;
}

export function Markdown({ text, marks = [] }: { text: string; marks?: Mark[] }) {
  const isLong = text.length > LONGEST;
  const tree = useMemo(() => (isLong ? undefined : parse(text)), [text, isLong]);
  if (tree === undefined) return <p class="plain">{text}</p>;
  return <div class="markdown">{childrenOf(tree, marks)}</div>;
}

export function parse(text: string) {
  return fromMarkdown(text, {
    extensions: [gfmTable()],
    mdastExtensions: [gfmTableFromMarkdown()],
  });
}

function childrenOf(node: Parents, marks: Mark[]): ComponentChildren[] {
  return node.children.map((child, place) => (
    <Fragment key={place}>{element(child, marks)}</Fragment>
  ));
}

/** One node. What has no element of its own is shown as text. */
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

/** A text whose marks are replaced. */
function marked(text: string, marks: Mark[]): ComponentChildren {
  for (const mark of marks) {
    const place = mark.text === "" ? -1 : text.indexOf(mark.text);
    if (place >= 0) {
      return [
        marked(text.slice(0, place), marks),
        mark.render(),
        marked(text.slice(place + mark.text.length), marks),
      ];
    }
  }
  return text;
}

/** Opens another tab, which does not learn where it was opened. Other links than to the web are text. */
function Link({ url, children }: { url: string; children: ComponentChildren }) {
  if (!/^https?:\/\//i.test(url)) return <>{children}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}
