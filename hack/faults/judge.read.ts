// etcd's history by what it is about, for the judges.
import type { ZoppAuditSegment, ZoppSecret } from "../../crds/types.gen.js";
import type { Lease } from "../../operator/kube/lease.plan.js";
import type { KubeObject } from "../../operator/kube/resources.js";
import type { Change } from "./etcd.js";

/** The plurals that judges read. */
export const READ = ["secrets", "zoppsecrets", "zoppauditsegments", "controllerrevisions", "leases"] as const;

/** One version of an object, or its end. */
export interface Version<T> {
  /** `namespace/name`. */
  readonly key: string;
  readonly revision: number;
  readonly object: T | undefined;
}

/** A Secret as it is stored. */
export interface StoredSecret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** All versions of all objects, oldest first. */
export interface Read {
  readonly secrets: readonly Version<StoredSecret>[];
  readonly zoppsecrets: readonly Version<ZoppSecret & KubeObject>[];
  readonly zoppauditsegments: readonly Version<ZoppAuditSegment>[];
  readonly controllerrevisions: readonly Version<KubeObject>[];
  readonly leases: readonly Version<Lease>[];
}

/** Sorts changes by kind. */
export function historyOf(changes: readonly Change[]): Read {
  const of = (plural: string) =>
    changes
      .filter(({ path }) => path.startsWith(`${plural}/`))
      .map(({ path, revision, object }) => ({ key: path.slice(plural.length + 1), revision, object }));
  return Object.fromEntries(READ.map((plural) => [plural, of(plural)])) as unknown as Read;
}
