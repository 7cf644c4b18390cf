import { render } from "preact";
import { App } from "./app";
import { apply, stored } from "./state/theme";
import { resume } from "./state/session";
import "./style.css";

resume();

apply(stored()); // before the first paint

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
