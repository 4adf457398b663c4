// For tests only: a keyring's memory in a namespace of its own, on an API server that runs.
import type { SigningKey } from "../../crds/crypto/identity.js";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import type { ApiClient } from "../kube/client.js";
import { silentLog } from "../kube/observe.js";
import { type KubeObject, NAMESPACES, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import { AuditLog } from "./log.js";
import type { Fact } from "./records.js";
import type { Remembered } from "./replay.js";
import { Store } from "./store.js";

/** Makes memories, each in a new namespace. */
export function inNamespaces<M>(client: ApiClient, make: (namespace: string) => M): () => Promise<M> {
  let made = 0;
  return async () => {
    made += 1;
    const name = `keyring-${made}`;
    await client.create(NAMESPACES, { metadata: { name } });
    return make(name);
  };
}

/** One keyring's memory in a namespace of its own. */
export class Memory {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly key: SigningKey = newSigningKey();
  readonly store: Store;

  constructor(client: ApiClient, namespace: string) {
    this.client = client;
    this.namespace = namespace;
    this.store = new Store(client, namespace, this.key);
  }

  load(): Promise<Remembered> {
    return this.store.load(() => `20261123101112-${this.namespace}`);
  }

  /** Appends facts, one segment each, to the memory as it was loaded. */
  async write(memory: Remembered, ...facts: Fact[]): Promise<AuditLog> {
    const { client, namespace, key } = this;
    const { end, ledger } = memory;
    const onAppend = (record: Parameters<typeof ledger.apply>[0]) => ledger.apply(record);
    const log = new AuditLog({ client, namespace, key, end, log: silentLog, onAppend, onStored: () => {} });
    for (const fact of facts) await log.append([fact]);
    return log;
  }

  /** All objects of a resource here, by name. */
  async all<T extends KubeObject>(resource: Resource): Promise<readonly T[]> {
    const { items } = await this.client.list<T>(resource, { namespace: this.namespace });
    return items.map((item) => ({ apiVersion: "zopp.dev/v1alpha1", kind: resource.kind, ...item }));
  }

  segments = () => this.all<ZoppAuditSegment & KubeObject>(ZOPP_AUDIT_SEGMENTS);
  parts = () => this.all<ZoppLedger & KubeObject>(ZOPP_LEDGERS);

  delete(resource: Resource, object: KubeObject): Promise<void> {
    return this.client.delete(resource, { namespace: this.namespace, name: object.metadata.name });
  }

  /** An immutable object changed after all: by somebody who may delete and create. */
  async swap(resource: Resource, object: KubeObject, spec: object): Promise<void> {
    await this.delete(resource, object);
    const metadata = { name: object.metadata.name, namespace: this.namespace };
    await this.client.create(resource, { metadata, spec } as never);
  }
}

/** What came of it: "ok", or the error's code. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
  );
}

/** What is accepted of an entry in a version. */
export const accepted = (version: number) => ({ version, hash: version.toString(16).padStart(64, "0") });

/** The opening of a bundle in a version, as a fact. */
export function opened(name: string, version: number): Fact {
  const object = `shop-prod/${name}`;
  const environment = "acme/shop/production";
  const entries = { A: accepted(version) };
  return { action: "open", decision: "released", actor: "operator", object, environment, header: accepted(1), entries };
}

/** The fact that a log begins with. */
export const START: Fact = { action: "start", decision: "done", actor: "keyring" };

/** The acceptance of a version of the workspace acme. */
export function accepting(digest: string): Fact {
  return { action: "accept-workspace", decision: "accepted", actor: "keyring", object: "acme", version: 7, digest };
}
