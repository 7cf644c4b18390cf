// How many values of a card are drawn as marks, at its head.

import type { Line } from "./lines";
import { badgesOf } from "./notes";

export function Badges({ lines }: { lines: readonly Line[] }) {
  return (
    <>
      {badgesOf(lines).map(({ text, meaning }) => (
        <span key={text} class="chart-badge" title={meaning}>
          {text}
        </span>
      ))}
    </>
  );
}
