// What a schema cannot say of an object's fields: canonical encodings, usable keys, real times, names that stand once.
// Gives every problem with its path; who may do what is policy's business.
import { decodeBase64 } from "./crypto/encoding.js";
import { parseEncryptionKey, parseVerifyKey } from "./crypto/keys.js";
import type { FieldProblem } from "./errors.js";
import type { Entry, Signature, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "./types.gen.js";

type Problems = FieldProblem[];

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set([".", "__proto__"]);
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** True for a key that an entry or rendered value may have. */
export function isKey(key: string): boolean {
  return KEY.test(key) && !FORBIDDEN_KEYS.has(key) && !key.startsWith("..");
}

/** Problems of a bundle's fields. */
export function secretProblems({ spec }: ZoppSecret): Problems {
  const problems: Problems = [];
  for (const field of ["data", "render"] as const) {
    for (const key of Object.keys(spec[field] ?? {})) {
      if (!isKey(key)) problems.push({ path: `spec.${field}.${key}`, problem: "is not a key that a Secret can have" });
    }
  }
  for (const [key, entry] of Object.entries(spec.data ?? {})) entryProblems(problems, `spec.data.${key}`, entry);
  for (const key of Object.keys(spec.render ?? {})) {
    if (Object.hasOwn(spec.data ?? {}, key)) problems.push({ path: `spec.render.${key}`, problem: "is a data key as well" });
  }
  canonical(problems, "spec.header.signature", spec.header.signature);
  approvals(problems, "spec.header.approvals", spec.header.approvals);
  const count = Object.keys(spec.data ?? {}).length;
  if (count > 256) problems.push({ path: "spec.data", problem: `has ${count} entries, the limit is 256` });
  return problems;
}

function entryProblems(problems: Problems, path: string, entry: Entry): void {
  const sealed = entry.sealed !== undefined;
  if (sealed === (entry.retired === true)) problems.push({ path, problem: "is neither sealed nor retired, or both" });
  if (sealed !== (entry.to !== undefined)) problems.push({ path: `${path}.to`, problem: "and sealed come together" });
  canonical(problems, `${path}.sealed`, entry.sealed);
  canonical(problems, `${path}.signature`, entry.signature);
  realTime(problems, `${path}.expires`, entry.expires);
  approvals(problems, `${path}.approvals`, entry.approvals);
}

/** Problems of an environment's fields. */
export function environmentProblems({ spec }: ZoppEnvironment): Problems {
  const problems: Problems = [];
  for (const [at, key] of spec.keys.entries()) {
    const path = `spec.keys.${at}`;
    usable(problems, `${path}.public`, parseEncryptionKey(key.public));
    const before = spec.keys[at - 1];
    if (before !== undefined && before.epoch >= key.epoch) problems.push({ path: `${path}.epoch`, problem: "does not come after the one before" });
    once(problems, `${path}.sealed`, key.sealed.map(({ to }) => to));
    for (const [index, wrapped] of key.sealed.entries()) {
      const form = wrapped.to.startsWith("zk1") ? [wrapped.enc, wrapped.wrapped] : [wrapped.age];
      const other = wrapped.to.startsWith("zk1") ? [wrapped.age] : [wrapped.enc, wrapped.wrapped];
      if (form.includes(undefined) || other.some((field) => field !== undefined)) {
        problems.push({ path: `${path}.sealed.${index}`, problem: "is either {to: zk1…, enc, wrapped} or {to: age1…, age}" });
      }
      for (const field of ["enc", "wrapped", "age"] as const) canonical(problems, `${path}.sealed.${index}.${field}`, wrapped[field]);
    }
  }
  for (const [at, grant] of (spec.grants ?? []).entries()) realTime(problems, `spec.grants.${at}.expires`, grant.expires);
  signatures(problems, "spec.signatures", spec.signatures);
  return problems;
}

/** Problems of a workspace's fields. */
export function workspaceProblems({ spec }: ZoppWorkspace): Problems {
  const problems: Problems = [];
  realTime(problems, "spec.expires", spec.expires);
  principalProblems(problems, spec);
  for (const field of ["groups", "clusters", "environments", "recovery", "invites"] as const) {
    once(problems, `spec.${field}`, (spec[field] ?? []).map(({ name }) => name));
  }
  const names = new Set(spec.principals.map(({ name }) => name));
  for (const [at, group] of (spec.groups ?? []).entries()) {
    const stranger = group.members.findIndex((member) => !names.has(member));
    if (stranger >= 0) problems.push({ path: `spec.groups.${at}.members.${stranger}`, problem: "is not among the principals" });
  }
  ownerProblems(problems, spec, names);
  for (const [at, cluster] of (spec.clusters ?? []).entries()) {
    usable(problems, `spec.clusters.${at}.signingKey`, parseVerifyKey(cluster.signingKey));
    usable(problems, `spec.clusters.${at}.encryptionKey`, parseEncryptionKey(cluster.encryptionKey));
  }
  for (const [at, grant] of (spec.grants ?? []).entries()) realTime(problems, `spec.grants.${at}.expires`, grant.expires);
  for (const [at, invite] of (spec.invites ?? []).entries()) {
    usable(problems, `spec.invites.${at}.signingKey`, parseVerifyKey(invite.signingKey));
    realTime(problems, `spec.invites.${at}.expires`, invite.expires);
  }
  for (const [at, step] of (spec.rotations ?? []).entries()) signatures(problems, `spec.rotations.${at}.signatures`, step.signatures);
  signatures(problems, "spec.signatures", spec.signatures);
  return problems;
}

function principalProblems(problems: Problems, spec: ZoppWorkspace["spec"]): void {
  once(problems, "spec.principals", spec.principals.map(({ name }) => name));
  for (const [at, principal] of spec.principals.entries()) {
    const path = `spec.principals.${at}`;
    const workload = principal.cluster !== undefined && principal.serviceAccount !== undefined && principal.devices === undefined;
    const holder = principal.cluster === undefined && principal.serviceAccount === undefined;
    if (principal.kind === "workload" ? !workload : !holder) {
      problems.push({ path, problem: "has either devices (person, service), or cluster and serviceAccount (workload)" });
    }
    realTime(problems, `${path}.expires`, principal.expires);
    once(problems, `${path}.devices`, (principal.devices ?? []).map(({ name }) => name));
    for (const [index, device] of (principal.devices ?? []).entries()) {
      usable(problems, `${path}.devices.${index}.signingKey`, parseVerifyKey(device.signingKey));
      usable(problems, `${path}.devices.${index}.encryptionKey`, parseEncryptionKey(device.encryptionKey));
    }
  }
}

function ownerProblems(problems: Problems, { owners }: ZoppWorkspace["spec"], names: ReadonlySet<string>): void {
  once(problems, "spec.owners.principals", owners.principals);
  if (owners.threshold > owners.principals.length) problems.push({ path: "spec.owners.threshold", problem: "is above the number of owners" });
  const stranger = owners.principals.findIndex((owner) => !names.has(owner));
  if (stranger >= 0) problems.push({ path: `spec.owners.principals.${stranger}`, problem: "is not among the principals" });
}

function signatures(problems: Problems, path: string, list: readonly Signature[]): void {
  once(problems, path, list.map(({ by }) => by));
  for (const [at, { value }] of list.entries()) canonical(problems, `${path}.${at}.value`, value);
}

function approvals(problems: Problems, path: string, map: Readonly<Record<string, string>> | undefined): void {
  for (const [kid, value] of Object.entries(map ?? {})) {
    if (!/^zk1[a-z2-7]{16}$/.test(kid)) problems.push({ path: `${path}.${kid}`, problem: "is not a kid" });
    canonical(problems, `${path}.${kid}`, value);
  }
}

function canonical(problems: Problems, path: string, text: string | undefined): void {
  if (text !== undefined && decodeBase64(text) === null) problems.push({ path, problem: "is not canonical base64" });
}

function usable(problems: Problems, path: string, key: object | null): void {
  if (key === null) problems.push({ path, problem: "is not a usable key (spelling, length or low order)" });
}

function realTime(problems: Problems, path: string, text: string | undefined): void {
  if (text === undefined) return;
  const time = Date.parse(text);
  const canonicalText = Number.isNaN(time) ? "" : `${new Date(time).toISOString().slice(0, 19)}Z`;
  if (canonicalText !== text) problems.push({ path, problem: "is not a real time of the form YYYY-MM-DDTHH:MM:SSZ" });
}

function once(problems: Problems, path: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const [at, name] of names.entries()) {
    if (seen.has(name)) problems.push({ path: `${path}.${at}`, problem: "stands there twice" });
    seen.add(name);
  }
}
