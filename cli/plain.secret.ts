// One Secret as Kubernetes has it: its values, what of it a bundle's target can say, and what it cannot.
// Which targets an environment allows is policy's; this leaves out only what zopp never writes.
import { type FieldProblem, malformed, ZoppError } from "../crds/errors.js";
import { isReserved } from "../crds/policy/target.js";
import type { Target } from "../crds/types.gen.js";
import { isKey } from "../crds/validate.checks.js";

/** Plain values on their way into one bundle. */
export interface PlainSecret {
  /** How messages call it. */
  readonly title: string;
  readonly namespace?: string | undefined;
  /** Absent where a flat file gave the values. */
  readonly name?: string | undefined;
  readonly target: Pick<Target, "type" | "labels" | "annotations" | "immutable">;
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** What of it is left out, a line each. */
  readonly notes: readonly string[];
  /** Who owns the Secret in the cluster that it was read from, as "Kind name". */
  readonly owners: readonly string[];
  /** True where it was read from a cluster, and so runs there. */
  readonly isLive: boolean;
}

/** Marks of those who made or delivered the Secret until now: on zopp's they would be wrong. */
const DELIVERED = /(?:^|\.)(?:bitnami\.com|external-secrets\.io|argoproj\.io|toolkit\.fluxcd\.io)$|^sopssecret$/;

type Fields = Readonly<Record<string, unknown>>;

/** Reads a v1 Secret. Throws Malformed with every bad field. */
export function manifestOf(object: unknown, where: string): PlainSecret {
  const secret = object as Fields;
  const metadata = fields(secret["metadata"]);
  const [name, namespace] = [metadata["name"], metadata["namespace"]];
  if (typeof name !== "string") throw new ZoppError("Malformed", `${where}: metadata.name is missing`);
  if (namespace !== undefined && typeof namespace !== "string")
    throw new ZoppError("Malformed", `${where}: metadata.namespace is not a string`);
  const title = `Secret ${[namespace, name].filter(Boolean).join("/")} (${where})`;
  if (Object.hasOwn(secret, "sops")) throw stillSops(title);
  const notes: string[] = [];
  const target = {
    ...typeOf(secret, title),
    ...marks("labels", metadata, title, notes),
    ...marks("annotations", metadata, title, notes),
    ...(secret["immutable"] === true ? { immutable: true } : {}),
  };
  const owners = ownersOf(metadata);
  if (owners.length > 0) notes.push(`metadata.ownerReferences is left out (${owners.join(", ")})`);
  for (const field of ["finalizers", "managedFields"])
    if (metadata[field] !== undefined) notes.push(`metadata.${field} is left out`);
  const said = notes.map((note) => `Secret ${name}: ${note}`);
  const isLive = typeof metadata["uid"] === "string";
  return { title, namespace, name, target, values: valuesOf(secret, title), notes: said, owners, isLive };
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function typeOf(secret: Fields, title: string): Pick<Target, "type"> {
  const type = secret["type"] ?? "Opaque";
  if (typeof type !== "string") throw new ZoppError("Malformed", `${title}: type is not a string`);
  // what is the default anyway is not written into the header
  return type === "Opaque" || type === "" ? {} : { type };
}

function marks(
  field: "labels" | "annotations",
  metadata: Fields,
  title: string,
  notes: string[],
): Pick<Target, typeof field> {
  const kept: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(fields(metadata[field]))) {
    if (isReserved(name)) notes.push(`metadata.${field} ${name} is left out: zopp sets none of that domain`);
    else if (DELIVERED.test(name.split("/")[0] ?? ""))
      notes.push(`metadata.${field} ${name} is left out: it is of who made the Secret until now`);
    else if (typeof value === "string") kept[name] = value;
    else throw new ZoppError("Malformed", `${title}: metadata.${field} ${name} is not a string`);
  }
  return Object.keys(kept).length === 0 ? {} : { [field]: kept };
}

function ownersOf(metadata: Fields): string[] {
  const references = metadata["ownerReferences"];
  return (Array.isArray(references) ? references : []).map((reference) => {
    const { kind, name } = fields(reference);
    return `${String(kind)} ${String(name)}`;
  });
}

/** `stringData` wins over `data`, as in the API server. */
function valuesOf(secret: Fields, title: string): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  const problems: FieldProblem[] = [];
  for (const field of ["data", "stringData"] as const) {
    for (const [at, [key, value]] of Object.entries(fields(secret[field])).entries()) {
      const path = isKey(key) ? `${field}.${key}` : `${field} (key ${at + 1})`;
      if (typeof value === "string") refuseSopsValue(value, title, path);
      const bytes = typeof value === "string" || value === null ? bytesOf(field, value ?? "") : undefined;
      if (!isKey(key)) problems.push({ path, problem: "is no key that a Secret can have" });
      else if (bytes === undefined)
        problems.push({ path, problem: field === "data" ? "is not base64" : "is not a string" });
      else values.set(key, bytes);
    }
  }
  if (problems.length > 0) throw malformed(title, problems);
  if (values.size === 0) throw new ZoppError("Malformed", `${title} has no data`);
  return values;
}

/** Base64 as Go reads it: line ends do not count, and unused bits may be set. */
function bytesOf(field: "data" | "stringData", text: string): Uint8Array | undefined {
  if (field === "stringData") return Buffer.from(text, "utf8");
  const joined = text.replaceAll(/[\r\n]/g, "");
  if (joined.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(joined)) return undefined;
  return Buffer.from(joined, "base64");
}

/** A value that SOPS sealed would be sealed once more, and reach the workload as ciphertext. */
export function refuseSopsValue(text: string, title: string, field: string): void {
  if (text.startsWith("ENC[AES256_GCM,")) throw stillSops(`${title}: ${field}`);
}

/** What is still sealed by SOPS. */
export function stillSops(what: string): ZoppError {
  return new ZoppError(
    "Malformed",
    `${what} is still sealed by SOPS: open it first, as \`sops -d FILE | zopp import -\``,
  );
}
