import { render } from "preact";
import { App } from "./app";
import { apply, stored } from "./state/theme";
import { heedPrinting } from "./state/paper";
import { resume } from "./state/session";
import "./style.css";
import "./print.css";

resume();

apply(stored()); // before the first paint
heedPrinting();

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
