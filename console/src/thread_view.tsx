/** A thread: messages, runs and steps in one order, and the composer below them. */
import { useEffect, useRef } from "preact/hooks";
import { Composer } from "./composer";
import { MessageView } from "./message_view";
import { RunView } from "./run_view";
import { StepView } from "./step_view";
import type { ThreadModel } from "./thread";
import type { Item } from "./timeline";
import { Copy, Problem } from "./ui";

export function ThreadView({ model }: { model: ThreadModel }) {
  const items = model.items.value;
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const { current } = scroller;
    if (current !== null && isAtEnd.current) current.scrollTop = current.scrollHeight;
  }, [items]);
  const scrolled = () => {
    const { current } = scroller;
    if (current === null) return;
    isAtEnd.current = current.scrollHeight - current.scrollTop - current.clientHeight < 80;
  };
  return (
    <section class="thread" aria-labelledby="thread-id">
      <div class="line title">
        <h1 id="thread-id">
          <code>{model.id}</code>
        </h1>
        <Copy text={model.id} label="Copy id" />
      </div>
      {model.problem.value !== undefined && <Problem>{model.problem.value}</Problem>}
      {model.isGone.value && <Problem>This thread was deleted.</Problem>}
      <div
        class="items"
        ref={scroller}
        onScroll={scrolled}
        tabIndex={0}
        role="region"
        aria-label="Conversation"
      >
        {model.hasOlder.value && <Older model={model} scroller={scroller} />}
        {items.map((item) => (
          <div class="item" key={item.key}>
            <ItemView item={item} model={model} />
          </div>
        ))}
      </div>
      <Composer model={model} />
    </section>
  );
}

function ItemView({ item, model }: { item: Item; model: ThreadModel }) {
  switch (item.kind) {
    case "message":
      return <MessageView message={item.message} />;
    case "run":
      return <RunView run={item.run} model={model} />;
    case "step":
      return <StepView step={item.step} />;
  }
}

/** Reads older messages when its button is pressed or comes into sight. */
function Older(props: { model: ThreadModel; scroller: { current: HTMLDivElement | null } }) {
  const button = useRef<HTMLButtonElement>(null);
  const { model, scroller } = props;
  const more = async () => {
    const { current } = scroller;
    const fromEnd = (current?.scrollHeight ?? 0) - (current?.scrollTop ?? 0);
    await model.loadOlder();
    // What was in sight stays there.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (current !== null) current.scrollTop = current.scrollHeight - fromEnd;
      }),
    );
  };
  useEffect(() => {
    if (button.current === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) void more();
    });
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [model]);
  return (
    <button type="button" ref={button} onClick={more}>
      Older messages
    </button>
  );
}
