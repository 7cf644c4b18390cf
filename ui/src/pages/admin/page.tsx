// Health, what goes on, workspaces, credentials and the audit log: for admins.

import { Loading } from "../../parts/states";
import { mayAdmin } from "../../state/session";
import { useWho } from "../../state/who";
import { Activity } from "./activity";
import { Audit } from "./audit";
import { Credentials } from "./credentials";
import { Server } from "./server";
import { Workspaces } from "./workspaces";
import "./admin.css";

export function AdminPage() {
  const session = useWho();
  if (typeof session !== "object") return <Loading what="your role" />;
  if (!mayAdmin(session)) {
    return (
      <section class="page admin">
        <h1>Admin</h1>
        <p>Your credential is a {session.role}. This page needs an admin.</p>
      </section>
    );
  }
  return (
    <section class="page admin">
      <h1>Admin</h1>
      <Server />
      <Activity />
      <Workspaces />
      <Credentials session={session} />
      <Audit />
    </section>
  );
}
