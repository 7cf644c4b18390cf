// The way back from a zoom, for those who do not know the double click.

import { PARAMS, useParam } from "../state/params";
import { overridesOf } from "./settings";
import { resetZoom } from "./zoom";

export function ResetZoom() {
  const [zoom] = useParam(PARAMS.zoom);
  const [own] = useParam(PARAMS.ownSettings);
  const zoomed = zoom !== "" || [...overridesOf(own).values()].some(({ y }) => y !== null);
  if (!zoomed) return null;
  return (
    <button type="button" onClick={resetZoom}>
      Reset zoom
    </button>
  );
}
