// `zopp principal list`: people, services and workloads, with their devices, ends, groups and grants in effect.

import { grantText } from "../granting.js";
import type { Result } from "../output.js";
import { table } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf } from "../policy-change.js";
import { factsOf, type PrincipalFacts, type Right } from "../principals.js";
import type { Session } from "../session.js";

/** Runs `zopp principal list`. */
export async function run(session: Session): Promise<Result> {
  return listed(session, () => true);
}

/** The principals that are wanted, as `principal list` and `token list` show them. */
export async function listed(session: Session, isWanted: (facts: PrincipalFacts) => boolean): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const { environments, notes } = await environmentsOf(session, workspace);
  const now = session.context.now();
  const principals = workspace.object.spec.principals
    .map((principal) => factsOf(workspace, environments, principal, now))
    .filter(isWanted);
  return {
    data: { workspace: workspace.name, principals },
    names: principals.map(({ name }) => name),
    human:
      principals.length === 0
        ? ["none"]
        : table(["NAME", "KIND", "DEVICES", "ENDS", "GROUPS", "GRANTS"], principals.map(row)),
    notes,
  };
}

function row(facts: PrincipalFacts): readonly string[] {
  const { name, kind, owner, devices = [], expires, ended, groups, rights, serviceAccount, cluster } = facts;
  return [
    name,
    owner ? `${kind}, owner` : kind,
    kind === "workload" ? `${serviceAccount} in ${cluster}` : devices.map((device) => device.name).join(", "),
    ended ? `ended ${expires ?? ""}` : (expires ?? ""),
    groups.join(", "),
    rights.map(rightText).join("; "),
  ];
}

function rightText(right: Right): string {
  return right.by === undefined ? grantText(right) : `${grantText(right)} by ${right.by}`;
}
