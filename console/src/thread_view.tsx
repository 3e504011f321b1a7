/** A thread: messages, runs and steps in one order, and the composer below them. */
import { useEffect, useRef } from "preact/hooks";
import { Call } from "./call";
import { Composer } from "./composer";
import { CopyAs } from "./copy_as";
import { forkAt } from "./fork";
import { MessageView } from "./message_view";
import { OnServer } from "./on_server";
import { RunView } from "./run_view";
import { go, session } from "./state";
import { StepView } from "./step_view";
import type { ThreadModel } from "./thread";
import type { Item } from "./timeline";
import type { Message } from "./types";
import { Action, Boundary, Copy, Problem, save } from "./ui";

/** The keys that scroll up. */
const BACK = new Set(["ArrowUp", "Home", "PageUp"]);

export function ThreadView({ model }: { model: ThreadModel }) {
  const items = model.items.value;
  const { scroller, content, listeners } = useEnd();
  return (
    <section class="thread" aria-labelledby="thread-id">
      <div class="line title">
        <h1 id="thread-id">
          <code>{model.id}</code>
        </h1>
        <Copy text={model.id} label="Copy id" />
        <OnServer>
          <ThreadTools model={model} />
        </OnServer>
      </div>
      {model.problem.value !== undefined && <Problem>{model.problem.value}</Problem>}
      {session.value.notice.value !== undefined && <Problem>{session.value.notice.value}</Problem>}
      {model.isGone.value && <Problem>This thread was deleted.</Problem>}
      <div
        class="items"
        ref={scroller}
        {...listeners}
        tabIndex={0}
        role="region"
        aria-label="Conversation"
      >
        <div ref={content}>
          {model.hasOlder.value && <Older model={model} scroller={scroller} />}
          {items.map((item) => (
            <div class="item" key={item.key}>
              <Boundary>
                <ItemView item={item} model={model} />
              </Boundary>
            </div>
          ))}
        </div>
      </div>
      <Composer model={model} />
    </section>
  );
}

/**
 * Keeps a box scrolled to its end when items arrive or change their sizes, until the user scrolls
 * back. The box also moves when items change their sizes, so its position alone does not show what
 * the user did.
 */
function useEnd() {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const { current } = scroller;
      if (current !== null && isAtEnd.current) current.scrollTop = current.scrollHeight;
    });
    if (content.current !== null) observer.observe(content.current);
    return () => observer.disconnect();
  }, []);
  const leave = () => {
    isAtEnd.current = false;
  };
  const listeners = {
    onKeyDown: ({ key }: KeyboardEvent) => {
      if (BACK.has(key)) leave();
    },
    // A press on the box itself is a press on its scroll bar.
    onPointerDown: (event: PointerEvent) => {
      if (event.target === event.currentTarget) leave();
    },
    onTouchMove: leave,
    onWheel: leave,
    onScroll: ({ currentTarget: it }: { currentTarget: HTMLElement }) => {
      if (it.scrollHeight - it.scrollTop - it.clientHeight < 80) isAtEnd.current = true;
      else if (isAtEnd.current) it.scrollTop = it.scrollHeight;
    },
  };
  return { scroller, content, listeners };
}

/** The actions on a whole thread. */
function ThreadTools({ model }: { model: ThreadModel }) {
  const { api, id } = model;
  const path = `v1/threads/${id}`;
  const exported = async () => {
    const yaml = await (await api.open(`_rehearsal/threads/${id}/fixture`)).text();
    save(`${id}.yaml`, new Blob([yaml], { type: "application/yaml" }));
  };
  return (
    <details class="tools">
      <summary>More</summary>
      <p class="buttons">
        <Action act={exported}>Export as a fixture</Action>
        <Call
          label="Delete the thread"
          call={{ method: "DELETE", path }}
          done={() => go({ page: "threads" })}
        />
        <CopyAs call={{ method: "GET", path: `${path}/messages` }} />
      </p>
    </details>
  );
}

function ItemView({ item, model }: { item: Item; model: ThreadModel }) {
  switch (item.kind) {
    case "message":
      return (
        <MessageView message={item.message}>
          <Fork model={model} message={item.message} />
        </MessageView>
      );
    case "run":
      return <RunView run={item.run} model={model} />;
    case "step":
      return <StepView step={item.step} />;
  }
}

/** Reads older messages when its button is pressed or becomes visible. */
function Older(props: { model: ThreadModel; scroller: { current: HTMLDivElement | null } }) {
  const button = useRef<HTMLButtonElement>(null);
  const { model, scroller } = props;
  const more = async () => {
    const { current } = scroller;
    const fromEnd = (current?.scrollHeight ?? 0) - (current?.scrollTop ?? 0);
    await model.loadOlder();
    await drawn();
    // The visible part stays in place.
    if (current !== null) current.scrollTop = current.scrollHeight - fromEnd;
  };
  useEffect(() => {
    const { current } = button;
    if (current === null) return;
    const observer = new IntersectionObserver(async ([entry]) => {
      if (!entry?.isIntersecting) return;
      await more();
      // Checks again, unless the read failed: the button may still be visible.
      if (model.problem.peek() !== undefined) return;
      observer.unobserve(current);
      observer.observe(current);
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, [model]);
  return (
    <button type="button" ref={button} onClick={more}>
      Older messages
    </button>
  );
}

/** Waits for two frames: the first draws the changes. */
async function drawn(): Promise<void> {
  for (let frame = 0; frame < 2; frame++) {
    await new Promise((done) => requestAnimationFrame(done));
  }
}

/** A new thread with the same messages up to this one. */
function Fork({ model, message }: { model: ThreadModel; message: Message }) {
  const fork = async () => {
    go({ page: "thread", thread: await forkAt(model.api, model.id, message.id) });
  };
  return <Action act={fork}>Fork here</Action>;
}
