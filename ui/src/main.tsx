import { render } from "preact";
import { App } from "./app";
import { resume } from "./state/session";
import "./style.css";

resume();

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
