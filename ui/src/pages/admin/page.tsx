// Workspaces, credentials, usage and health.

export function AdminPage() {
  return <section class="page" />;
}
