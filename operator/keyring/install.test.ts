// The seed of a cluster, on a real API server and by an account with no more rights than the chart's hook has.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import { type ControlPlane, startControlPlane } from "../../hack/control-plane/control-plane.js";
import { type ApiClient, connect } from "../kube/client.js";
import { hasStatus } from "../kube/errors.js";
import { CONFIG_MAPS, type KubeObject, type Resource, SECRETS } from "../kube/resources.js";
import { type InstallConfig, install, PUBLIC_KEY, SEED_KEY } from "./install.js";

const NAMES = { secret: "zopp-seed", shareConfigMap: "zopp-seed-share", publicConfigMap: "zopp-keyring-key" };

const HOOK = (namespace: string) => [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "hook", namespace } },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "hook", namespace },
    rules: [
      { apiGroups: [""], resources: ["secrets", "configmaps"], verbs: ["create"] },
      { apiGroups: [""], resources: ["configmaps"], resourceNames: [NAMES.publicConfigMap], verbs: ["patch"] },
    ],
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "hook", namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "hook" },
    subjects: [{ kind: "ServiceAccount", name: "hook", namespace }],
  },
];

type Found = KubeObject & {
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
};

/** A namespace with the hook's account, and a folder where kubelet would mount what is there. */
class Site {
  readonly config: InstallConfig;
  readonly #admin: ApiClient;
  readonly #hook: ApiClient;

  constructor(admin: ApiClient, hook: ApiClient, namespace: string, folder: string) {
    this.#admin = admin;
    this.#hook = hook;
    const mounted = { mountedSecret: join(folder, "secret", SEED_KEY), mountedShare: join(folder, "share", SEED_KEY) };
    this.config = { namespace, ...NAMES, ...mounted };
  }

  /** Runs the hook: whether the seed was new, or the error's code. */
  async run(): Promise<string> {
    return install(this.#hook, this.config).then(
      ({ fresh }) => (fresh ? "new" : "kept"),
      (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
    );
  }

  async found(resource: Resource, name: string): Promise<Found | null> {
    return this.#admin.get<Found>(resource, { namespace: this.config.namespace, name }).catch((error: unknown) => {
      if (hasStatus(error, 404)) return null;
      throw error;
    });
  }

  /** What kubelet does before it starts the next pod. */
  async mount(): Promise<void> {
    const secret = (await this.found(SECRETS, NAMES.secret))?.data?.[SEED_KEY];
    const share = (await this.found(CONFIG_MAPS, NAMES.shareConfigMap))?.data?.[SEED_KEY];
    if (secret !== undefined) put(this.config.mountedSecret, Buffer.from(secret, "base64").toString());
    if (share !== undefined) put(this.config.mountedShare, share);
  }

  async remove(resource: Resource, name: string): Promise<void> {
    await this.#admin.delete(resource, { namespace: this.config.namespace, name });
  }

  /** Puts an object there as a backup has it. */
  async restore(resource: Resource, object: Found | null): Promise<void> {
    if (object === null) throw new Error("there is nothing to put back");
    const { name, namespace, labels } = object.metadata;
    await this.#admin.create(resource, { ...object, metadata: { name, namespace, labels } } as KubeObject);
  }

  /** Another pod: nothing is mounted yet. */
  again(folder: string): Site {
    return new Site(this.#admin, this.#hook, this.config.namespace, folder);
  }

  async publicKey(): Promise<string | undefined> {
    return (await this.found(CONFIG_MAPS, NAMES.publicConfigMap))?.data?.[PUBLIC_KEY];
  }
}

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

t.test("on a real API server", async (t) => {
  const cp = await startControlPlane();
  const admin = await connect({ file: cp.kubeconfig });
  t.teardown(async () => {
    await admin.close();
    await cp.stop();
  });
  let count = 0;
  const site = async (t: Test): Promise<Site> => {
    const namespace = `system-${count++}`;
    const hook = await hookOf(cp, namespace);
    t.teardown(() => hook.close());
    return new Site(admin, hook, namespace, t.testdir());
  };

  await t.test("the first time it makes both shares and the public key; from then on only that key", async (t) => {
    const first = await site(t);
    t.equal(await first.run(), "new");
    const secret = await first.found(SECRETS, NAMES.secret);
    t.match(secret, { type: "zopp.dev/seed", immutable: true, metadata: { labels: { "zopp.dev/seed": "secret" } } });
    const share = await first.found(CONFIG_MAPS, NAMES.shareConfigMap);
    t.match(share, { immutable: true, metadata: { labels: { "zopp.dev/seed": "share" } } });
    const key = await first.publicKey();
    t.match(key, /^ed25519:[A-Za-z0-9+/]{43}=\n$/);
    const second = first.again(t.testdir());
    await second.mount();
    await second.remove(CONFIG_MAPS, NAMES.publicConfigMap);
    t.equal(await second.run(), "kept");
    t.equal(await second.publicKey(), key, "of the same seed");
    const versions = [secret, share].map((object) => object?.metadata.resourceVersion);
    const now = [await second.found(SECRETS, NAMES.secret), await second.found(CONFIG_MAPS, NAMES.shareConfigMap)];
    t.strictSame(
      now.map((object) => object?.metadata.resourceVersion),
      versions,
      "neither share was touched",
    );
  });

  await t.test("what is there but not mounted yet is never overwritten", async (t) => {
    const first = await site(t);
    t.equal(await first.run(), "new");
    const before = await first.found(SECRETS, NAMES.secret);
    t.equal(await first.again(t.testdir()).run(), "SeedExists");
    await first.remove(CONFIG_MAPS, NAMES.shareConfigMap);
    t.equal(await first.again(t.testdir()).run(), "SeedExists", "not even with a share that was lost");
    t.strictSame(await first.found(SECRETS, NAMES.secret), before);
    t.equal(await first.found(CONFIG_MAPS, NAMES.shareConfigMap), null, "beside which no other share is made");
  });

  await t.test("a Secret without its other share is refused until that is put back", async (t) => {
    const first = await site(t);
    await first.run();
    const key = await first.publicKey();
    const share = await first.found(CONFIG_MAPS, NAMES.shareConfigMap);
    await first.remove(CONFIG_MAPS, NAMES.shareConfigMap);
    const second = first.again(t.testdir());
    await second.mount();
    t.equal(await second.run(), "SeedMissing");
    await second.restore(CONFIG_MAPS, share);
    await second.mount();
    t.equal(await second.run(), "kept");
    t.equal(await second.publicKey(), key);
  });

  // kubelet asks nobody about what is immutable while a pod that had it is there
  await t.test("a seed that was deleted is not taken for one that is there, though it is still mounted", async (t) => {
    const first = await site(t);
    await first.run();
    const late = first.again(t.testdir());
    await late.mount();
    await late.remove(SECRETS, NAMES.secret);
    t.equal(await late.run(), "SeedMissing");
    for (const name of [NAMES.shareConfigMap, NAMES.publicConfigMap]) await late.remove(CONFIG_MAPS, name);
    t.equal(await late.run(), "SeedMissing", "nor with nothing left of it");
    t.equal(await late.publicKey(), undefined, "its key is not published again");
    t.equal(await late.found(SECRETS, NAMES.secret), null, "and nothing is made beside it");
    t.equal(await late.again(t.testdir()).run(), "new", "once it is mounted no more");
  });

  await t.test("nor is a new Secret made for a share that was deleted", async (t) => {
    const first = await site(t);
    await first.run();
    await first.remove(SECRETS, NAMES.secret);
    const late = first.again(t.testdir());
    await late.mount();
    await late.remove(CONFIG_MAPS, NAMES.shareConfigMap);
    t.equal(await late.run(), "SeedMissing");
    t.equal(await late.found(SECRETS, NAMES.secret), null);
  });

  await t.test(
    "a seed that was lost is not made anew by an upgrade, but put back, or given up for another one",
    async (t) => {
      const first = await site(t);
      await first.run();
      const [key, secret] = [await first.publicKey(), await first.found(SECRETS, NAMES.secret)];
      await first.remove(SECRETS, NAMES.secret);
      const folder = t.testdir();
      const [share, nothing] = [first.again(join(folder, "share")), first.again(join(folder, "nothing"))];
      await share.mount();
      t.equal(await share.run(), "SeedMissing", "one share is left");
      await first.remove(CONFIG_MAPS, NAMES.shareConfigMap);
      t.equal(await nothing.run(), "SeedMissing", "none is left");
      t.equal(await first.found(SECRETS, NAMES.secret), null, "so that a backup can be put back");
      t.equal(await first.publicKey(), key);
      await first.restore(SECRETS, secret);
      t.equal(await nothing.run(), "SeedExists", "what was put back is to be mounted");
      await first.remove(SECRETS, NAMES.secret);
      await first.remove(CONFIG_MAPS, NAMES.publicConfigMap);
      t.equal(await nothing.run(), "new", "whoever deletes all of it wants another one");
      t.not(await first.publicKey(), key);
    },
  );

  await t.test("a hook that died between the two shares is finished by the next", async (t) => {
    const first = await site(t);
    await first.run();
    // as if it had never come to the Secret, nor to the key, which is published last
    await first.remove(SECRETS, NAMES.secret);
    await first.remove(CONFIG_MAPS, NAMES.publicConfigMap);
    const second = first.again(t.testdir());
    await second.mount();
    t.equal(await second.run(), "new");
    const third = first.again(t.testdir());
    await third.mount();
    const key = await second.publicKey();
    t.equal(await third.run(), "kept");
    t.equal(await third.publicKey(), key, "what was published is what both shares give");
  });

  await t.test("a share that is none is refused, without a word of it", async (t) => {
    const first = await site(t);
    const metadata = (name: string) => ({ name, namespace: first.config.namespace });
    const data = (text: string) => ({ [SEED_KEY]: text });
    await first.restore(SECRETS, { metadata: metadata(NAMES.secret), data: data(btoa("hunter2")) });
    await first.restore(CONFIG_MAPS, { metadata: metadata(NAMES.shareConfigMap), data: data("hunter2") });
    await first.mount();
    t.equal(await first.run(), "Malformed");
    t.equal(await first.publicKey(), undefined);
  });
});

async function hookOf(cp: ControlPlane, namespace: string): Promise<ApiClient> {
  for (const object of HOOK(namespace)) {
    const { code, stderr } = await cp.kubectl(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(object) });
    if (code !== 0) throw new Error(stderr);
  }
  return connect({ file: await cp.serviceAccountKubeconfig(namespace, "hook") });
}
