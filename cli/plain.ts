// Reads plain values that somebody else sealed or made: Secrets as kubectl prints them, or a flat file of keys.
// What becomes of them is `import`'s business; what one Secret means, plain.secret.ts'.
import { isAlias, isMap, isScalar } from "yaml";
import { ZoppError } from "../crds/errors.js";
import { isKey } from "../crds/validate.checks.js";
import { manifestOf, type PlainSecret, refuseSopsValue, stillSops } from "./plain.secret.js";
import { type Manifest, readManifests } from "./store/yaml.read.js";

/** What a text holds; `notes` say what of it is left out. */
export interface Plain {
  /** One without a name comes from a flat file. */
  readonly secrets: readonly PlainSecret[];
  readonly notes: readonly string[];
}

/** The first line that says something, in a file as `kubectl create secret --from-env-file` reads it. */
const ENV_LINE = /^\s*[-._a-zA-Z0-9]+=/;
const COMMENT = /^\s*(?:#|$)/;

/**
 * Reads Secrets (YAML or JSON, several documents, lists), or keys and values: flat YAML or JSON, or lines of KEY=VALUE.
 * Throws Malformed, naming document and field, never a value.
 */
export function readPlain(bytes: Uint8Array, file: string): Plain {
  const title = file === "-" ? "stdin" : file;
  const text = textOf(bytes, title);
  const lines = text.split(/\r?\n/);
  const first = lines.find((line) => !COMMENT.test(line));
  if (first === undefined) throw new ZoppError("Malformed", `${title} is empty`);
  if (ENV_LINE.test(first)) return fromLines(lines, title);
  const manifests = readManifests(text, title);
  const [only, another] = manifests;
  if (only !== undefined && another === undefined && !isObject(only.value)) return fromMap(only, title);
  return fromObjects(manifests, title);
}

function textOf(bytes: Uint8Array, title: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ZoppError("Malformed", `${title} is not text: one binary value is set by \`zopp set --from-file\``, {
      cause,
    });
  }
}

interface KubeDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly items?: unknown;
}

function isObject(value: unknown): value is KubeDocument {
  const { apiVersion, kind } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  return typeof apiVersion === "string" && typeof kind === "string";
}

function fromObjects(manifests: readonly Manifest[], title: string): Plain {
  const several = manifests.length > 1;
  const objects = manifests.flatMap(({ index, value }) =>
    unlisted(value, several ? `document ${index + 1} of ${title}` : title),
  );
  const secrets: PlainSecret[] = [];
  const notes: string[] = [];
  for (const { value, where } of objects) {
    if (!isObject(value))
      throw new ZoppError("Malformed", `${where} is no Kubernetes object: it has no apiVersion or kind`);
    if (value.apiVersion === "v1" && value.kind === "Secret") secrets.push(manifestOf(value, where));
    else notes.push(`${where} is no Secret (${value.kind}): left out`);
  }
  if (secrets.length > 0) return { secrets, notes };
  const kinds = [...new Set(objects.map(({ value }) => (value as KubeDocument).kind))].join(", ");
  const text = `${title} holds no Secret${kinds === "" ? "" : ` but ${kinds}: import the Secret that it becomes, from the cluster`}`;
  throw new ZoppError("Malformed", text);
}

/** The items of a List (as `kubectl get` prints several objects), each with where it stands. */
function unlisted(value: unknown, where: string): { readonly value: unknown; readonly where: string }[] {
  if (!isObject(value) || !value.kind.endsWith("List") || !Array.isArray(value.items)) return [{ value, where }];
  return value.items.flatMap((item, at) => unlisted(item, `items.${at} of ${where}`));
}

function fromMap(manifest: Manifest, title: string): Plain {
  const { contents } = manifest.document;
  if (!isMap(contents)) throw new ZoppError("Malformed", `${title} holds neither Secrets nor keys with values`);
  if (contents.has("sops")) throw stillSops(title);
  const values = keysAndValues(manifest, title);
  for (const [key, value] of values) refuseSopsValue(Buffer.from(value).toString("utf8"), title, key);
  return { secrets: [flat(title, values)], notes: [] };
}

/**
 * Keys and plain values of a flat YAML document. A number or a word like `yes` is taken as it is written, not as YAML reads
 * it. Throws Malformed, naming the key, never a value.
 */
export function keysAndValues({ document }: Manifest, title: string): ReadonlyMap<string, Uint8Array> {
  if (!isMap(document.contents)) throw new ZoppError("Malformed", `${title} does not hold keys with values`);
  const values = new Map<string, Uint8Array>();
  for (const [at, pair] of document.contents.items.entries()) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    if (!isKey(key)) throw unusableKey(title, `entry ${at + 1}`);
    const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
    if (!isScalar(node) || node.value === null) {
      const what =
        isScalar(node) || node === null
          ? 'empty: write "" for an empty value'
          : "a map or a list: an entry is one value";
      throw new ZoppError("Malformed", `${title}: ${key} is ${what}`);
    }
    const text = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    values.set(key, Buffer.from(text, "utf8"));
  }
  return values;
}

/** Lines of KEY=VALUE whose values are taken as they stand, as kubectl, kustomize and `sops -d` mean them. */
function fromLines(lines: readonly string[], title: string): Plain {
  const values = new Map<string, Uint8Array>();
  const notes: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (COMMENT.test(line)) continue;
    const [, key = "", value = ""] = /^\s*([^=]*)=(.*)$/s.exec(line) ?? [];
    if (!isKey(key)) throw unusableKey(title, `line ${at + 1}`);
    if (values.has(key)) throw new ZoppError("Malformed", `${title}:${at + 1}: ${key} stands there twice`);
    refuseSopsValue(value, title, key);
    if (/^(["']).*\1$/.test(value))
      notes.push(`${key}: its quotes are part of the value, as for kubectl; \`zopp set --dotenv\` takes them off`);
    values.set(key, Buffer.from(value, "utf8"));
  }
  return { secrets: [flat(title, values)], notes };
}

function flat(title: string, values: ReadonlyMap<string, Uint8Array>): PlainSecret {
  if (values.size === 0) throw new ZoppError("Malformed", `${title} holds no keys`);
  return { title, target: {}, values, notes: [], owners: [], isLive: false };
}

/** What stands there is not repeated: it could be a value. */
function unusableKey(title: string, where: string): ZoppError {
  return new ZoppError(
    "Malformed",
    `${title}: ${where} has no key that a Secret can have (letters, digits, -, _ and .)`,
  );
}
