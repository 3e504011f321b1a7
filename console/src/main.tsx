import { render } from "preact";
import { App } from "./app";
import { isReport, takeOver } from "./report";

const root = document.getElementById("app");
if (isReport) takeOver();
if (root !== null) render(<App />, root);
