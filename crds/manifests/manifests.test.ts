import t from "tap";
import { apiTrials } from "../../hack/api-trials.js";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { must } from "../../hack/control-plane/kubectl.js";
import { ABSENT, changed, type Path } from "../../hack/field-table.js";
import { baseline } from "../../hack/fixtures.baseline.js";
import { acme, bundle, identityOf, production, withTombstone, world, writingBy } from "../../hack/fixtures.js";

const NAMESPACE = "shop-prod";
const { environment } = world();
const secret = withTombstone(
  bundle(
    environment,
    { DB_PASSWORD: "a value", "tls.crt": "another" },
    {
      target: {
        name: "api-env",
        type: "Opaque",
        labels: { tier: "db" },
        annotations: { "example.com/note": "any text" },
      },
      render: { URL: "[[ DB_PASSWORD ]]" },
      restart: "auto",
    },
  ),
  "OLD",
  writingBy("alice", environment),
);
const entry = secret.spec.data?.["DB_PASSWORD"];
const PASSWORD = { version: 20261123101112, kind: "password", length: 32, rotateEvery: "720h" };
const SIGNATURE = secret.spec.header.signature;
const ZEROS = "0".repeat(64);
const KID = identityOf("bob").signing.verifyKey.kid;
const workspace = acme({
  principals: [
    ...acme().spec.principals,
    { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-prod/api" },
  ],
});
const listed = baseline(world(), [secret], { authors: ["bob"] });
const segment = {
  apiVersion: "zopp.dev/v1alpha1",
  kind: "ZoppAuditSegment",
  metadata: { name: "log-1-000000000007", namespace: NAMESPACE },
  spec: { log: "log-1", first: 7, count: 1, previous: ZEROS, hash: ZEROS, records: "AAAA", signature: SIGNATURE },
};
const ledger = {
  apiVersion: "zopp.dev/v1alpha1",
  kind: "ZoppLedger",
  metadata: { name: "log-1-places-0", namespace: NAMESPACE },
  spec: { log: "log-1", kind: "Places", name: "0", through: 8, content: "AAAA", signature: SIGNATURE },
};

const cp = await startControlPlane();
const trials = apiTrials(cp);
t.teardown(async () => {
  await trials.close();
  await cp.stop();
});

t.before(async () => {
  await cp.applyCrds();
  await must(cp.kubectl(["create", "namespace", NAMESPACE]));
});

t.test("every definition is established and its names are accepted", async (t) => {
  const { items } = JSON.parse(await must(cp.kubectl(["get", "crd", "--output", "json"])));
  t.equal(items.length, 6);
  for (const { metadata, status } of items) {
    const conditions = Object.fromEntries(
      status.conditions.map(({ type, status }: Record<string, string>) => [type, status]),
    );
    t.strictSame(conditions, { NamesAccepted: "True", Established: "True" }, metadata.name);
  }
  t.match(await must(cp.kubectl(["api-resources", "--categories", "zopp", "--output", "name"])), /zoppledgers/);
});

t.test("what people and keyrings write is accepted", async (t) => {
  for (const object of [workspace, production(), secret, listed, ledger, segment]) {
    const { code, message } = await trials.tryCreate(object);
    t.equal(code, 201, `${object.kind} ${message}`);
  }
});

t.test("a key that was retired may be generated from then on", async (t) => {
  const { code, message } = await trials.tryCreate(changed(secret, ["spec", "generate"], { OLD: PASSWORD }));
  t.strictSame({ code, message }, { code: 201, message: "" });
});

t.test("the largest objects stay within the cost that the API server allows to rules", async (t) => {
  const [key] = production().spec.keys;
  const [alice] = acme().spec.principals;
  const many = (count: number, value: (at: number) => unknown) => Array.from({ length: count }, (_, at) => value(at));
  const named = (count: number, value: unknown) =>
    Object.fromEntries(many(count, (at) => [`KEY_${at}`, value]) as [string, unknown][]);
  const large: readonly (readonly [string, unknown, Path, unknown])[] = [
    ["256 entries", secret, ["spec", "data"], named(256, entry)],
    ["eleven values of 64 KiB", secret, ["spec", "data"], named(11, { ...entry, sealed: "A".repeat(91660) })],
    ["64 labels", secret, ["spec", "target", "labels"], named(64, "x".repeat(63))],
    [
      "32 rules of generated values beside 256 entries",
      changed(secret, ["spec", "data"], named(256, entry)),
      ["spec", "generate"],
      Object.fromEntries(
        many(32, (at) => [`${at}${"k".repeat(250)}`, { ...PASSWORD, previous: `OLD_${at}` }]) as [string, unknown][],
      ),
    ],
    ["64 epochs", production(), ["spec", "keys"], many(64, (at) => ({ ...key, epoch: at + 1 }))],
    [
      "5000 listed bundles",
      listed,
      ["spec", "bundles"],
      many(5000, (at) => ({ ...listed.spec.bundles[0], name: `b${at}` })),
    ],
    ["500 principals", workspace, ["spec", "principals"], many(500, (at) => ({ ...alice, name: `p${at}` }))],
  ];
  for (const [what, valid, path, value] of large) {
    const { code, message } = await trials.tryCreate(changed(valid, path, value));
    t.strictSame({ code, message }, { code: 201, message: "" }, what);
  }
});

type Row = readonly [why: string, path: Path, value: unknown, message: RegExp];

/** Each change is refused, with a message that helps. */
async function refuses(t: Tap, valid: unknown, rows: readonly Row[]): Promise<void> {
  for (const [why, path, value, message] of rows) {
    const answer = await trials.tryCreate(changed(valid, path, value));
    t.match({ why, code: answer.code, message: answer.message }, { why, code: /^4(00|22)$/, message });
  }
}
type Tap = Pick<typeof t, "match">;

t.test("a bundle is refused", async (t) => {
  const data: Path = ["spec", "data"];
  const [type, labels, annotations]: Path[] = [
    ["spec", "target", "type"],
    ["spec", "target", "labels"],
    ["spec", "target", "annotations"],
  ];
  const keys = /keys are letters, digits, dots, dashes and underscores/;
  const types = /allowed are Opaque, kubernetes\.io\/tls/;
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`K${at}`, entry]));
  await refuses(t, secret, [
    ...[".", "..", "..a", "a b", "a/b", "ü", "__proto__", "k".repeat(254)].map(
      (key): Row => [`key ${key}`, [...data, key], entry, keys],
    ),
    ["rendered __proto__", ["spec", "render", "__proto__"], "x", keys],
    ["a rendered data key", ["spec", "render", "OLD"], "x", /a rendered key may not be a data key/],
    ...[
      "kubernetes.io/service-account-token",
      "bootstrap.kubernetes.io/token",
      "helm.sh/release.v1",
      "x.k8s.io/y",
      "Other",
      "a/b",
    ].map((text): Row => [`type ${text}`, type ?? [], text, types]),
    [
      "a label of kubernetes.io",
      [...(labels ?? []), "app.kubernetes.io/name"],
      "x",
      /labels of kubernetes\.io.* are reserved/,
    ],
    ["a label of zopp.dev", [...(labels ?? []), "zopp.dev/bundle"], "x", /labels of kubernetes\.io.* are reserved/],
    [
      "an annotation of kubernetes.io",
      [...(annotations ?? []), "kubernetes.io/service-account.name"],
      "x",
      /annotations of .* are reserved/,
    ],
    ["an annotation of helm.sh", [...(annotations ?? []), "helm.sh/hook"], "x", /annotations of .* are reserved/],
    ["a generated data key", ["spec", "generate"], { DB_PASSWORD: PASSWORD }, /a generated key may not be a data key/],
    ["a generated key of two parts", ["spec", "generate"], { "a/b": PASSWORD }, keys],
    ["a generated UUID with a length", ["spec", "generate"], { A: { ...PASSWORD, kind: "uuid" } }, /length goes with/],
    ["an rsa key without bits", ["spec", "generate"], { A: { version: 1, kind: "rsa" } }, /bits go with rsa/],
    ["a rotation for ever", ["spec", "generate"], { A: { ...PASSWORD, rotateEvery: "0h" } }, /rotateEvery/],
    ["a retired value", [...data, "DB_PASSWORD", "retired"], true, /an entry is either sealed or retired/],
    ["an entry of nothing", [...data, "OLD", "retired"], ABSENT, /an entry is either sealed or retired/],
    ["a tombstone to a key", [...data, "OLD", "to"], KID, /sealed and to come together/],
    ["a value to no key", [...data, "DB_PASSWORD", "to"], ABSENT, /sealed and to come together/],
    ["an unknown field", [...data, "DB_PASSWORD", "at"], "x", /unknown field "spec\.data\.DB_PASSWORD\.at"/],
    [
      "a version past all years",
      [...data, "DB_PASSWORD", "version"],
      1e14,
      /version.*should be less than or equal to 99991231235999/,
    ],
    ["a date for a version", [...data, "DB_PASSWORD", "version"], "2026-11-23", /version.*must be of type integer/],
    ["null for a version", [...data, "DB_PASSWORD", "version"], null, /version.*Required value/],
    ["a kid in capitals", ["spec", "header", "by"], KID.toUpperCase(), /spec\.header\.by.*should match/],
    ["257 entries", data, many, /must have at most 256 items/],
    [
      "a value over 64 KiB",
      [...data, "DB_PASSWORD", "sealed"],
      "A".repeat(91664),
      /sealed.*Too long: may not be more than 91660/,
    ],
    ["no header", ["spec", "header"], ABSENT, /spec\.header: Required value/],
    ["an environment of two parts", ["spec", "environment"], "acme/shop", /spec\.environment.*should match/],
  ]);
});

t.test("an environment, a workspace, a baseline, a segment are refused", async (t) => {
  const [key] = production().spec.keys;
  const stanza: Path = ["spec", "keys", 0, "sealed", 0];
  await refuses(t, production(), [
    ["another name", ["metadata", "name"], "acme.shop.dev", /metadata\.name is workspace\.project\.environment/],
    ["an epoch twice", ["spec", "keys", 1], key, /an epoch stands there once/],
    ["a stanza that is both", [...stanza, "age"], "AAAA", /wrapped either to a kid .* or to an age recipient/],
    ["a stanza that is neither", [...stanza, "enc"], ABSENT, /wrapped either to a kid .* or to an age recipient/],
    ["an X-Wing key that is too short", ["spec", "keys", 0, "public"], "xwing:AAAA", /public.*should match/],
  ]);
  await refuses(t, workspace, [
    ["a dot in the name", ["metadata", "name"], "acme.eu", /a workspace's name is at most 63 .* without dots/],
    ["too high a threshold", ["spec", "owners", "threshold"], 2, /the threshold is at most the number of owners/],
    ["a workload with devices", ["spec", "principals", 4, "devices"], [], /a workload has cluster and serviceAccount/],
    [
      "a person of a cluster",
      ["spec", "principals", 0, "cluster"],
      "eu-1",
      /a workload has cluster and serviceAccount/,
    ],
    ["all namespaces", ["spec", "environments", 0, "namespaces", 0], "*", /namespaces.*should match/],
  ]);
  await refuses(t, listed, [
    ["another name", ["metadata", "name"], "acme.shop.dev", /metadata\.name is workspace\.project\.environment/],
    ["a short digest", ["spec", "bundles", 0, "digest"], "00", /digest.*should match/],
    ["no versions that it was made for", ["spec", "since"], ABSENT, /since: Required/],
  ]);
  await refuses(t, segment, [
    ["another index", ["metadata", "name"], "log-1-000000000008", /metadata\.name is the log's id/],
    ["another log", ["metadata", "name"], "log-2-000000000007", /metadata\.name is the log's id/],
    ["no digits", ["metadata", "name"], "log-1-00000000000a", /metadata\.name is the log's id/],
  ]);
});
