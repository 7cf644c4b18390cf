// What narrows the runs of a page that has no search box of its own, and the way out of it.

import { PARAMS, useParam } from "../state/params";
import "./parts.css";

export function Searched() {
  const [filter, setFilter] = useParam(PARAMS.filter);
  if (filter === "") return null;
  return (
    <p class="searched">
      <span title={filter}>Search: {filter}</span>
      <button type="button" aria-label="Clear the search" title="Clear the search" onClick={() => setFilter("")}>
        ×
      </button>
    </p>
  );
}
