// What the operator keeps of a Secret that it watches: metadata and who wrote which key. Never the data.
// The API server is asked for metadata only, so values of Secrets never reach this process by reading.
import { FIELD_MANAGER, type KubeObject, type ObjectMeta } from "../kube/resources.js";

/** A Secret as the operator sees it. */
export interface SeenSecret extends KubeObject {
  readonly metadata: ObjectMeta & { readonly uid: string; readonly resourceVersion: string };
  readonly writers: Writers;
}

/** Keys of `data`: those that the operator owns, and those that only others own; and the field managers of the latter. Sorted. */
export interface Writers {
  readonly ours: readonly string[];
  readonly others: readonly string[];
  readonly managers: readonly string[];
}

/** Keeps what is needed of a Secret's metadata, with `managedFields` condensed to the writers of its keys. */
export function seenSecret(object: KubeObject): SeenSecret {
  const { name, namespace, uid = "", resourceVersion = "", labels, annotations } = object.metadata;
  const { ownerReferences, deletionTimestamp, finalizers } = object.metadata;
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations: withoutLastApplied(annotations) }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    writers: writersOf(object.metadata.managedFields),
  };
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** kubectl's copy of a Secret that was made by hand holds its values: it is dropped at once. */
function withoutLastApplied(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (!Object.hasOwn(annotations, LAST_APPLIED)) return annotations;
  const { [LAST_APPLIED]: _, ...rest } = annotations;
  return rest;
}

/** Reads `metadata.managedFields` (FieldsV1): who owns which key of `data`. Foreign shapes own nothing. */
export function writersOf(managedFields: unknown): Writers {
  const ours = new Set<string>();
  const theirs: { readonly key: string; readonly manager: string }[] = [];
  for (const entry of Array.isArray(managedFields) ? managedFields : []) {
    const fields = member(entry, "fieldsV1");
    const manager = String(member(entry, "manager"));
    for (const field of Object.keys(record(member(fields, "f:data")))) {
      if (!field.startsWith("f:")) continue;
      const key = field.slice("f:".length);
      if (manager === FIELD_MANAGER && member(entry, "operation") === "Apply") ours.add(key);
      else theirs.push({ key, manager });
    }
  }
  const foreign = theirs.filter(({ key }) => !ours.has(key));
  const sorted = (texts: Iterable<string>) => [...new Set(texts)].sort();
  return {
    ours: sorted(ours),
    others: sorted(foreign.map(({ key }) => key)),
    managers: sorted(foreign.map(({ manager }) => manager)),
  };
}

function member(value: unknown, name: string): unknown {
  return record(value)[name];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
