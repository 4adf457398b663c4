// Owns the git repository that Flux and Argo CD apply from: Alice's checkout on the demo's stage, and what the cluster
// shows of it. Does not own who applies it.
import { readFileSync, writeFileSync } from "node:fs";
import { type Condition, readyOf } from "../../operator/kube/conditions.js";
import { hasStatus } from "../../operator/kube/errors.js";
import {
  type KubeObject,
  type Place,
  type Resource,
  SECRETS,
  ZOPP_BASELINES,
  ZOPP_ENVIRONMENTS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import { PLAIN_NODE } from "../child.js";
import { must } from "../control-plane/kubectl.js";
import { ALICE, Stage } from "../demo/stage.js";
import { eventually } from "../eventually.js";

/** The objects of the repository that stand for the whole cluster, by their place in it. */
export const WORKSPACE = [ZOPP_WORKSPACES, { name: "acme" }] as const;
export const ENVIRONMENT = [ZOPP_ENVIRONMENTS, { name: "acme.shop.production" }] as const;

/** Written as for a new cluster: a keyring takes what it lists. */
export const BASELINE = [ZOPP_BASELINES, { name: "acme.shop.production" }] as const;
/** One that policy does not let this cluster serve. */
export const ELSEWHERE = [ZOPP_ENVIRONMENTS, { name: "acme.shop.dev" }] as const;

/** A bundle or a Secret of the namespace that the repository is about. */
export const bundle = (name: string) => [ZOPP_SECRETS, { namespace: "shop-prod", name }] as const;
export const secret = (name: string) => [SECRETS, { namespace: "shop-prod", name }] as const;

type Conditioned = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };
interface Values extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** A checkout whose policy names a cluster with a running keyring; nothing of it is applied yet. Live until `stop()`. */
export class Checkout {
  readonly stage = new Stage();

  /** Starts the control plane and the keyring, makes workspace and environment, and commits a first bundle, `api`. */
  async begin(): Promise<void> {
    const { stage } = this;
    await stage.startControlPlane((line) => console.error(line));
    await this.run("zopp-keyring keygen --seed ../../keyring/seed --public ../../keyring/keyring.pub");
    await this.run("git init -q -b main");
    const init = await this.run(
      "zopp init acme/shop/production --namespace shop-prod --device laptop --recovery-file ../recovery.txt",
    );
    await stage.startKeyring(/acme@\d+:[0-9a-f]{64}/.exec(init)?.[0] ?? "");
    const opened = await eventually(() => stage.keyring.lines.find((line) => line.includes('"log opened"')));
    const { fingerprint } = JSON.parse(opened) as { fingerprint: string };
    await this.run("zopp environment create shop/dev --namespace shop-dev --access direct");
    await this.run(`zopp cluster add eu-1 --environment shop/production --fingerprint ${fingerprint}`);
    await this.run("printf one | zopp set shop-prod/api PASSWORD && printf app | zopp set shop-prod/api USER");
    await this.run("zopp baseline create shop/production --all");
    await this.commit("Secrets of the api");
    for (const name of ["shop-prod", "shop-dev"]) await this.run(`kubectl create namespace ${name}`);
  }

  /** What a command line prints that Alice types in her checkout. Throws when it fails. */
  async run(line: string): Promise<string> {
    const { code, text } = await this.stage.shell(`${PLAIN_NODE}${line}`);
    if (code !== 0) throw new Error(`${line}: exit code ${code}\n${text}`);
    return text;
  }

  /** Commits everything that lies in the checkout. */
  async commit(message: string): Promise<void> {
    await this.run(`git add -A && git commit -q -m '${message}'`);
  }

  /** Takes back the last commit, as a pull request would. */
  async revert(): Promise<void> {
    await this.run("git revert --no-edit HEAD");
  }

  /** Applies a tool's resource types and waits until the API server serves them. */
  async serveTypes(files: readonly string[]): Promise<void> {
    const { kubectl } = this.stage.controlPlane;
    const filenames = files.flatMap((file) => ["--filename", file]);
    const names = await must(kubectl(["apply", "--server-side", "--output", "name", ...filenames]));
    const wait = ["wait", "--for=condition=Established", "--timeout=30s", ...names.trim().split("\n")];
    // kubectl does not wait for a type that has no status at all yet
    await eventually(() => must(kubectl(wait)));
  }

  /** Edits a file by hand. */
  edit(file: string, change: (text: string) => string): void {
    const path = this.stage.path(ALICE, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }

  /** Raises an entry's version by hand, which its signature does not cover. */
  forge(name: string, entry: string): void {
    this.edit(`zopp/shop-prod/${name}.yaml`, (text) =>
      text.replace(new RegExp(`(?<=${entry}:\\n +version: )\\d+`), (version) => String(Number(version) + 1)),
    );
  }

  /** An object as it is stored; undefined when there is none. */
  async find<T extends KubeObject>(resource: Resource, place: Place): Promise<T | undefined> {
    try {
      return await this.stage.client.get<T>(resource, place);
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Waits until Ready of an object's present generation has this reason; gives the condition. */
  becomes(reason: string, [resource, place]: readonly [Resource, Place], timeoutMs = 60_000): Promise<Condition> {
    return eventually(
      async () => {
        for (const child of this.stage.children) child.refuseDead();
        const found = await this.find<Conditioned>(resource, place);
        const ready = readyOf(found?.status);
        if (ready?.reason === reason && ready.observedGeneration === found?.metadata.generation) return ready;
        throw new Error(`${place.name} is ${ready?.reason ?? "without a condition"}: ${ready?.message ?? ""}`);
      },
      { timeoutMs, message: `${resource.kind} ${place.name} is ${reason}` },
    );
  }

  /** Waits until a Secret holds exactly these values. */
  holds(name: string, values: Readonly<Record<string, string>>): Promise<KubeObject> {
    return eventually(async () => {
      const found = await this.find<Values>(...secret(name));
      const texts = Object.entries(found?.data ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value, "base64").toString(),
      ]);
      const text = JSON.stringify(Object.fromEntries(texts));
      if (found !== undefined && text === JSON.stringify(values)) return found;
      throw new Error(`the Secret ${name} holds ${text}`);
    });
  }

  /** Waits until a bundle and its Secret are gone. The garbage collector learns of new resources every 30 s only. */
  gone(name: string): Promise<true> {
    const absent = async () =>
      (await this.find(...bundle(name))) === undefined && (await this.find(...secret(name))) === undefined;
    return eventually(absent, { timeoutMs: 60_000, message: `${name} and its Secret are gone` });
  }

  /** What tells whether anything was written: the resourceVersion and generation of everything of ours, and of Secrets. */
  async versions(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const resource of [ZOPP_WORKSPACES, ZOPP_ENVIRONMENTS, ZOPP_BASELINES, ZOPP_SECRETS, SECRETS]) {
      const { items } = await this.stage.client.list(resource, { namespace: undefined, metadataOnly: true });
      for (const { metadata } of items) {
        const { namespace = "", name, resourceVersion = "", generation = 0 } = metadata;
        found.set(`${resource.plural}/${namespace}/${name}`, `${resourceVersion} ${generation}`);
      }
    }
    return found;
  }

  stop(): Promise<void> {
    return this.stage.stop();
  }
}
