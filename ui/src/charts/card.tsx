// One metric of several runs as a card.

import type { CardProps } from "./shown";

export function Card({ metric, title, height = 260 }: CardProps) {
  return (
    <article class="card" aria-label={title ?? metric}>
      <h3>{title ?? metric}</h3>
      <div style={{ height: `${height}px` }} />
    </article>
  );
}
