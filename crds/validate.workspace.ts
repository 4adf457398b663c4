// Owns what a schema cannot say of a workspace's fields, each problem with its path.
// Does not own who may do what, nor whether enough owners signed: that is policy's business.
import { parseEncryptionKey, parseVerifyKey } from "./crypto/keys.js";
import type { Principal, Rotation, WorkspaceEnvironment, WorkspaceSpec, ZoppWorkspace } from "./types.gen.js";
import { checkKey, checkOnce, checkSignatures, checkTime, type Problems } from "./validate.checks.js";

/** Lists whose members have a name that stands there once. */
const NAMED = ["principals", "groups", "clusters", "environments", "recovery", "invites"] as const;

/** Problems of a workspace's fields. */
export function workspaceProblems({ metadata, spec }: ZoppWorkspace): Problems {
  const problems: Problems = [];
  if (metadata.name.includes(".") || metadata.name.length > 63) {
    problems.push({ path: "metadata.name", problem: "is not a label of at most 63 characters, without dots" });
  }
  checkTime(problems, "spec.expires", spec.expires);
  for (const list of NAMED)
    checkOnce(
      problems,
      `spec.${list}`,
      (spec[list] ?? []).map(({ name }) => name),
      "name",
    );
  for (const [at, principal] of spec.principals.entries())
    principalProblems(problems, `spec.principals.${at}`, principal);
  memberProblems(problems, spec);
  for (const [at, cluster] of (spec.clusters ?? []).entries()) {
    checkKey(problems, `spec.clusters.${at}.signingKey`, parseVerifyKey(cluster.signingKey));
    checkKey(problems, `spec.clusters.${at}.encryptionKey`, parseEncryptionKey(cluster.encryptionKey));
  }
  for (const [at, environment] of (spec.environments ?? []).entries()) {
    environmentRuleProblems(problems, `spec.environments.${at}`, environment);
  }
  for (const [at, { expires }] of (spec.grants ?? []).entries())
    checkTime(problems, `spec.grants.${at}.expires`, expires);
  for (const [at, invite] of (spec.invites ?? []).entries()) {
    checkKey(problems, `spec.invites.${at}.signingKey`, parseVerifyKey(invite.signingKey));
    checkTime(problems, `spec.invites.${at}.expires`, invite.expires);
    checkTime(problems, `spec.invites.${at}.grant.expires`, invite.grant?.expires);
  }
  checkOnce(
    problems,
    "spec.recovery",
    (spec.recovery ?? []).map(({ recipient }) => recipient),
    "recipient",
  );
  for (const [at, step] of (spec.rotations ?? []).entries()) {
    rotationProblems(problems, `spec.rotations.${at}`, step);
    const before = spec.rotations?.[at - 1]?.version ?? 0;
    if (step.version <= before || step.version > spec.version)
      problems.push({ path: `spec.rotations.${at}.version`, problem: "is not between the step before and the policy" });
  }
  checkSignatures(problems, "spec.signatures", spec.signatures);
  return problems;
}

function principalProblems(problems: Problems, path: string, principal: Principal): void {
  const { kind, expires, devices = [], cluster, serviceAccount } = principal;
  const placed = [cluster, serviceAccount].filter((field) => field !== undefined).length;
  const isWorkload = placed === 2 && principal.devices === undefined;
  if (kind === "workload" ? !isWorkload : placed > 0) {
    const problem = "has not exactly devices (person, service), or cluster and serviceAccount (workload)";
    problems.push({ path, problem });
  }
  checkTime(problems, `${path}.expires`, expires);
  checkOnce(
    problems,
    `${path}.devices`,
    devices.map(({ name }) => name),
    "name",
  );
  for (const [at, device] of devices.entries()) {
    checkKey(problems, `${path}.devices.${at}.signingKey`, parseVerifyKey(device.signingKey));
    checkKey(problems, `${path}.devices.${at}.encryptionKey`, parseEncryptionKey(device.encryptionKey));
  }
}

/** Owners and members of groups are principals, each once. */
function memberProblems(problems: Problems, { principals, owners, groups = [] }: WorkspaceSpec): void {
  const names = new Set(principals.map(({ name }) => name));
  const check = (path: string, members: readonly string[]) => {
    checkOnce(problems, path, members);
    for (const [at, member] of members.entries()) {
      if (!names.has(member)) problems.push({ path: `${path}.${at}`, problem: "is not among the principals" });
    }
  };
  check("spec.owners.principals", owners.principals);
  checkThreshold(problems, "spec.owners.threshold", owners);
  for (const [at, group] of groups.entries()) check(`spec.groups.${at}.members`, group.members);
}

function checkThreshold(
  problems: Problems,
  path: string,
  owners: { readonly threshold: number; readonly principals: readonly unknown[] },
): void {
  if (owners.threshold > owners.principals.length) problems.push({ path, problem: "is above the number of owners" });
}

function environmentRuleProblems(problems: Problems, path: string, environment: WorkspaceEnvironment): void {
  checkOnce(problems, `${path}.namespaces`, environment.namespaces);
  checkOnce(problems, `${path}.clusters`, environment.clusters ?? []);
  checkOnce(problems, `${path}.approvals.approvers`, environment.approvals?.approvers ?? []);
}

function rotationProblems(problems: Problems, path: string, { from, signatures }: Rotation): void {
  checkThreshold(problems, `${path}.from.threshold`, from);
  checkOnce(
    problems,
    `${path}.from.principals`,
    from.principals.map(({ name }) => name),
    "name",
  );
  for (const [at, { signingKeys }] of from.principals.entries()) {
    const where = `${path}.from.principals.${at}.signingKeys`;
    checkOnce(problems, where, signingKeys);
    for (const [index, key] of signingKeys.entries()) checkKey(problems, `${where}.${index}`, parseVerifyKey(key));
  }
  checkSignatures(problems, `${path}.signatures`, signatures);
}
