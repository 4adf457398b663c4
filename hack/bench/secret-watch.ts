// Sees when a Secret changes, as a workload that waits for it would: whoever changes it, and whatever from.
import type { ApiClient } from "../../operator/kube/client.js";
import { type KubeObject, SECRETS } from "../../operator/kube/resources.js";

/** Sees Secrets change. */
export class SecretWatch {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #waiting = new Map<string, (at: number) => void>();
  readonly #stopped = new AbortController();

  constructor(client: ApiClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async start(): Promise<void> {
    const list = await this.#client.list<KubeObject>(SECRETS, { namespace: this.#namespace, metadataOnly: true });
    void this.#follow(list.metadata.resourceVersion ?? "");
  }

  /** Resolves when the Secret of this name changes next. */
  next(name: string): Promise<number> {
    return new Promise((resolve) => this.#waiting.set(name, resolve));
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #follow(resourceVersion: string): Promise<void> {
    const options = {
      namespace: this.#namespace,
      resourceVersion,
      timeoutSeconds: 600,
      quietMs: 600_000,
      metadataOnly: true,
    };
    try {
      for await (const { type, object } of this.#client.watch<KubeObject>(SECRETS, {
        ...options,
        signal: this.#stopped.signal,
      })) {
        if (type !== "MODIFIED") continue;
        this.#waiting.get(object.metadata.name)?.(performance.now());
        this.#waiting.delete(object.metadata.name);
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) throw error;
    }
  }
}
