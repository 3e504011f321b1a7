/** The route from the address, and the current session. */
import { computed, effect, signal } from "@preact/signals";
import { formatRoute, parseRoute, type Route, type View } from "./route";
import { SessionModel } from "./session";

export const route = signal<Route>(parseRoute(location.hash));
addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

/** The address of a view in the same session. */
export function linkTo(view: View): string {
  return formatRoute({ session: route.value.session, view });
}

export function go(view: View): void {
  location.hash = linkTo(view);
}

const name = computed(() => route.value.session);
export const session = signal(new SessionModel(name.peek()));
effect(() => {
  if (session.peek().name === name.value) return;
  session.peek().stop();
  session.value = new SessionModel(name.value);
});
effect(() => {
  const { view } = route.value;
  session.value.show(view.page === "thread" ? view.thread : undefined);
});

// A file that is dropped outside a form would replace the page.
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => event.preventDefault());
}

/** Restarts the page, for example with another key. */
export function restart(): void {
  session.peek().stop();
  session.value = new SessionModel(name.peek());
}
