// The workspace of charts.

export function ChartsPage() {
  return <section class="page" />;
}
