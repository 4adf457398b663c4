// The chart's admission policy on a real API server: what the operator's account can do to Secrets that are not zopp's, and
// which Secrets it can make; and to ControllerRevisions. Its own token is used, as the operator would.
import t from "tap";
import type { ApiClient } from "../../operator/kube/client.js";
import { apiStatus } from "../../operator/kube/errors.js";
import { CONTROLLER_REVISIONS, type KubeObject, SECRETS } from "../../operator/kube/resources.js";
import { MODES } from "./chart.js";
import { installChart } from "./installed.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const NAMESPACE = "shop-prod";
const VALUE = Buffer.from("hunter2").toString("base64");

type Secret = KubeObject & { readonly type?: string; readonly data?: Readonly<Record<string, string>> };

function secret(name: string, metadata: Partial<KubeObject["metadata"]> = {}, rest: Partial<Secret> = {}): Secret {
  return { metadata: { name, namespace: NAMESPACE, ...metadata }, ...rest };
}

/** "done", or the HTTP status of the refusal. */
function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "done",
    (error: unknown) => String(apiStatus(error)?.status),
  );
}

const OURS = { labels: { "zopp.dev/managed": "whole", "app.kubernetes.io/managed-by": "zopp" } };

/** Secrets that the operator's account tries to make. */
const MADE: Record<string, readonly [made: Secret, outcome: "done" | "403"]> = {
  "as the operator does": [secret("m1", { ...OURS, annotations: { "zopp.dev/bundle": "m1" } }), "done"],
  "of a type of somebody's own": [secret("m2", OURS, { type: "example.com/thing" }), "done"],
  "of basic-auth": [secret("m3", OURS, { type: "kubernetes.io/basic-auth", data: { username: VALUE } }), "done"],
  "with labels and annotations of somebody's own": [
    secret("m4", { labels: { "example.com/a": "b", plain: "c" }, annotations: { "example.com/kubernetes.io": "d" } }),
    "done",
  ],
  "which is a token of another account": [
    secret(
      "m5",
      { annotations: { "kubernetes.io/service-account.name": "default" } },
      { type: "kubernetes.io/service-account-token" },
    ),
    "403",
  ],
  "which lets nodes join": [secret("m6", {}, { type: "bootstrap.kubernetes.io/token" }), "403"],
  "which is a release of Helm's": [secret("m7", {}, { type: "helm.sh/release.v1" }), "403"],
  "of a type without a domain": [secret("m8", {}, { type: "token" }), "403"],
  "of a type under kubernetes.io that is not known": [secret("m9", {}, { type: "x.kubernetes.io/y" }), "403"],
  "with an annotation of kubernetes.io": [secret("m10", { annotations: { "kubernetes.io/x": "y" } }), "403"],
  "with an annotation of a domain under k8s.io": [secret("m11", { annotations: { "a.k8s.io/x": "y" } }), "403"],
  "with a label of helm.sh": [secret("m12", { labels: { "helm.sh/chart": "y" } }), "403"],
  "managed by somebody else": [secret("m13", { labels: { "app.kubernetes.io/managed-by": "Helm" } }), "403"],
};

const OWNER = { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", name: "api", uid: "u", controller: true };

/** ControllerRevisions that the operator's account tries to make and to delete, by who controls them and their labels. */
const REVISIONS: Record<
  string,
  readonly [owners: readonly (typeof OWNER)[], outcome: "done" | "403", labels?: Record<string, string>]
> = {
  "of a bundle": [[OWNER], "done", { "zopp.dev/bundle-uid": "u" }],
  "of a bundle, with labels by which a StatefulSet would find it": [
    [OWNER],
    "403",
    { "zopp.dev/bundle-uid": "u", app: "db" },
  ],
  "of a bundle, with the label of another": [[OWNER], "403", { "zopp.dev/bundle-uid": "v" }],
  "of a StatefulSet": [[{ ...OWNER, apiVersion: "apps/v1", kind: "StatefulSet" }], "403"],
  "of a bundle that does not control it": [[{ ...OWNER, controller: false }], "403"],
  "of a bundle and a DaemonSet": [
    [OWNER, { ...OWNER, apiVersion: "apps/v1", kind: "DaemonSet", uid: "v", controller: false }],
    "403",
  ],
  "of somebody else's kind of that name": [[{ ...OWNER, apiVersion: "example.com/v1" }], "403"],
  "of nobody, which a StatefulSet would adopt": [[], "403"],
};

/** Secrets that are there, what the operator's account tries on them, and what comes of it. */
const CHANGED: Record<string, readonly [there: Secret, change: Secret, outcome: "done" | "403"]> = {
  "a label on somebody else's, to read the answer": [secret("c1"), secret("c1", { labels: { a: "b" } }), "403"],
  "zopp's own label on somebody else's": [secret("c2"), secret("c2", OURS), "403"],
  "the annotation that asks for adoption, put there by itself": [
    secret("c3"),
    secret("c3", { annotations: { "zopp.dev/adopt": "c3" } }),
    "403",
  ],
  "data of one that is zopp's": [secret("c4", OURS), secret("c4", OURS, { data: { A: VALUE } }), "done"],
  "one whose owner asks for adoption": [
    secret("c5", { annotations: { "zopp.dev/adopt": "c5", "kubernetes.io/description": "kept" } }),
    secret("c5", OURS, { data: { A: VALUE } }),
    "done",
  ],
  "one whose owner asks for our keys only": [
    secret("c6", { annotations: { "zopp.dev/merge": "c6" }, labels: { "helm.sh/chart": "kept" } }),
    secret("c6", { labels: { "zopp.dev/managed": "keys" } }, { data: { A: VALUE } }),
    "done",
  ],
  "an annotation of kubernetes.io on one that is zopp's": [
    secret("c7", OURS),
    secret("c7", { ...OURS, annotations: { "kubernetes.io/service-account.name": "default" } }),
    "403",
  ],
  "another value of a label of helm.sh that was there": [
    secret("c8", { labels: { ...OURS.labels, "helm.sh/chart": "kept" } }),
    secret("c8", { labels: { ...OURS.labels, "helm.sh/chart": "changed" } }),
    "403",
  ],
  "a release of Helm's, though its owner asks for our keys": [
    secret("c9", { annotations: { "zopp.dev/merge": "c9" } }, { type: "helm.sh/release.v1" }),
    secret("c9", {}, { data: { A: VALUE } }),
    "403",
  ],
};

t.test("on a real API server with the chart installed", { skip }, async (t) => {
  const { admin, clientOf } = await installChart(t, helm, MODES.sidecar);
  const operator = await clientOf("zopp");
  const apply = (client: ApiClient, object: Secret) =>
    outcome(client.apply(SECRETS, object, { fieldManager: "zopp-operator", force: true }));

  for (const [what, [made, expected]] of Object.entries(MADE)) {
    await t.test(`a Secret ${what}: ${expected}`, async (t) => {
      t.equal(await apply(operator, made), expected, "by server-side apply");
      if (expected === "done") await admin.delete(SECRETS, made.metadata);
      t.equal(await outcome(operator.create(SECRETS, made)), expected, "by creating");
    });
  }

  for (const [what, [there, change, expected]] of Object.entries(CHANGED)) {
    await t.test(`${what}: ${expected}`, async (t) => {
      const before: Secret = { ...there, data: { ...there.data, PASSWORD: VALUE } };
      await admin.create(SECRETS, before);
      const { resourceVersion = "" } = (await admin.get(SECRETS, there.metadata)).metadata;
      const { labels, annotations } = there.metadata;
      const metadata = {
        ...change.metadata,
        resourceVersion,
        labels: { ...labels, ...change.metadata.labels },
        annotations: { ...annotations, ...change.metadata.annotations },
      };
      const whole = { ...there, ...change, metadata };
      if (expected === "403") t.equal(await outcome(operator.replace(SECRETS, whole)), expected, "by replacing");
      t.equal(await apply(operator, change), expected, "by server-side apply");
      if (expected === "403") {
        const now = await admin.get<Secret>(SECRETS, there.metadata);
        t.equal(now.metadata.resourceVersion, resourceVersion, "nothing has changed");
      }
    });
  }

  for (const [at, [what, [ownerReferences, expected, labels = {}]]] of Object.entries(REVISIONS).entries()) {
    await t.test(`a ControllerRevision ${what}: ${expected}`, async (t) => {
      // owners that are not there: without a finalizer garbage collection would be faster
      const metadata = { name: `r${at}`, namespace: NAMESPACE, ownerReferences, labels, finalizers: ["zopp.dev/test"] };
      const revision = { metadata, revision: 1, data: {} };
      t.equal(await outcome(operator.create(CONTROLLER_REVISIONS, revision)), expected, "by creating");
      if (expected === "403") await admin.create(CONTROLLER_REVISIONS, revision);
      t.equal(await outcome(operator.delete(CONTROLLER_REVISIONS, metadata)), expected, "by deleting");
    });
  }

  await t.test("nobody else is held to it", async (t) => {
    t.equal(await apply(admin, secret("probe", { labels: { "helm.sh/chart": "x" } })), "done");
  });
});
