// Groups of runs beside each other.

export function ComparePage() {
  return <section class="page" />;
}
