// Owns what a schema cannot say of bundles, environments and keyrings' objects, each problem with its path.
// Does not own workspaces (validate.workspace.ts); who may do what is policy's business.
import { parseEncryptionKey } from "./crypto/keys.js";
import type { Entry, EnvironmentKey, ZoppAuditSegment, ZoppEnvironment, ZoppLedger, ZoppSecret } from "./types.gen.js";
import {
  checkApprovals,
  checkBase64,
  checkKey,
  checkOnce,
  checkSignatures,
  checkTime,
  isKey,
  type Problems,
} from "./validate.checks.js";
import { pathText } from "./validate.copy.js";
import { generateProblems } from "./validate.generate.js";
import { rotationProblems } from "./validate.rotation.js";

/** Problems of a bundle's fields. */
export function secretProblems({ metadata, spec }: ZoppSecret): Problems {
  const problems: Problems = [];
  for (const [key, entry] of Object.entries(spec.data ?? {})) {
    if (isKey(key)) entryProblems(problems, `spec.data.${key}`, entry);
    else problems.push({ path: pathText(["spec.data", key]), problem: "is not a key that a Secret can have" });
  }
  for (const key of Object.keys(spec.render ?? {})) {
    const problem = isKey(key) ? "is a data key as well" : "is not a key that a Secret can have";
    if (!isKey(key) || Object.hasOwn(spec.data ?? {}, key))
      problems.push({ path: pathText(["spec.render", key]), problem });
  }
  problems.push(...generateProblems(metadata.name, spec), ...rotationProblems(spec));
  for (const field of ["labels", "annotations"] as const) {
    for (const key of Object.keys(spec.target?.[field] ?? {})) {
      if (isQualifiedName(key)) continue;
      problems.push({ path: pathText(["spec.target", field, key]), problem: "is not a key of a label or annotation" });
    }
  }
  checkBase64(problems, "spec.header.signature", spec.header.signature);
  checkApprovals(problems, "spec.header.approvals", spec.header.approvals);
  return problems;
}

const QUALIFIED_NAME =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** The API server's rule for keys of labels and annotations: at most 63 characters after an optional domain. */
function isQualifiedName(key: string): boolean {
  return key.length <= 253 + 64 && QUALIFIED_NAME.test(key) && key.slice(key.indexOf("/") + 1).length <= 63;
}

function entryProblems(problems: Problems, path: string, entry: Entry): void {
  const isSealed = entry.sealed !== undefined;
  if (isSealed === (entry.retired === true)) problems.push({ path, problem: "is neither sealed nor retired, or both" });
  if (isSealed !== (entry.to !== undefined)) problems.push({ path: `${path}.to`, problem: "does not go with sealed" });
  checkBase64(problems, `${path}.sealed`, entry.sealed);
  checkBase64(problems, `${path}.signature`, entry.signature);
  checkTime(problems, `${path}.expires`, entry.expires);
  checkApprovals(problems, `${path}.approvals`, entry.approvals);
}

/** Problems of an environment's fields. */
export function environmentProblems({ metadata, spec }: ZoppEnvironment): Problems {
  const problems: Problems = [];
  if (metadata.name !== `${spec.workspace}.${spec.project}.${spec.environment}`) {
    problems.push({ path: "metadata.name", problem: "is not workspace.project.environment of spec" });
  }
  for (const [at, key] of spec.keys.entries()) {
    if (key.epoch <= (spec.keys[at - 1]?.epoch ?? 0)) {
      problems.push({ path: `spec.keys.${at}.epoch`, problem: "does not come after the one before" });
    }
    environmentKeyProblems(problems, `spec.keys.${at}`, key);
  }
  for (const [at, { expires }] of (spec.grants ?? []).entries())
    checkTime(problems, `spec.grants.${at}.expires`, expires);
  checkSignatures(problems, "spec.signatures", spec.signatures);
  return problems;
}

function environmentKeyProblems(problems: Problems, path: string, key: EnvironmentKey): void {
  checkKey(problems, `${path}.public`, parseEncryptionKey(key.public));
  checkOnce(
    problems,
    `${path}.sealed`,
    key.sealed.map(({ to }) => to),
    "to",
  );
  for (const [at, { to, enc, wrapped, age }] of key.sealed.entries()) {
    const where = `${path}.sealed.${at}`;
    const [own, others] = to.startsWith("zk1") ? [[enc, wrapped], [age]] : [[age], [enc, wrapped]];
    if (own.includes(undefined) || others.some((field) => field !== undefined)) {
      problems.push({ path: where, problem: "is neither {to: zk1…, enc, wrapped} nor {to: age1…, age}" });
    }
    checkBase64(problems, `${where}.enc`, enc);
    checkBase64(problems, `${where}.wrapped`, wrapped);
    checkBase64(problems, `${where}.age`, age);
  }
}

/** Problems of a ledger part's fields. */
export function ledgerProblems({ spec }: ZoppLedger): Problems {
  const problems: Problems = [];
  checkBase64(problems, "spec.content", spec.content);
  checkBase64(problems, "spec.signature", spec.signature);
  return problems;
}

/** Problems of an audit segment's fields. */
export function segmentProblems({ spec }: ZoppAuditSegment): Problems {
  const problems: Problems = [];
  checkBase64(problems, "spec.records", spec.records);
  checkBase64(problems, "spec.signature", spec.signature);
  return problems;
}
