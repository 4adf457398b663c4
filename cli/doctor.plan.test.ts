// What is made of what was found: tables. That it is found, on a real API server, is hack/e2e/doctor.slow.ts.
import t from "tap";
import { ZoppError } from "../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../crds/types.gen.js";
import { unsigned } from "../hack/fixtures.bundle.js";
import { cluster, world } from "../hack/fixtures.js";
import type { Description } from "../operator/keyring/client.types.js";
import {
  bundleFindings,
  certificateFindings,
  type Finding,
  findingOf,
  generatedFindings,
  keyringFindings,
  processFindings,
  restartFindings,
  rotationFindings,
  typeFindings,
  valueFindings,
} from "./doctor.plan.js";
import type { ZoppPod } from "./pods.js";

const short = (findings: readonly Finding[]) =>
  findings.map(({ state, reason, message }) => `${state} ${reason ?? message}`);

function bundle(name: string, reason: string | undefined, status: Partial<SecretStatus> = {}): ZoppSecret {
  const ready = {
    type: "Ready",
    status: reason === "Synced" ? "True" : "False",
    reason,
    message: "",
    lastTransitionTime: "",
  };
  const { metadata, ...rest } = unsigned({ environment: "acme/shop/production" });
  const observed = reason === undefined ? {} : { observedGeneration: 1, conditions: [ready as never] };
  return { ...rest, metadata: { ...metadata, name, generation: 1 }, status: { ...observed, ...status } };
}

t.test("bundles are told by their reasons, with the table's next step, and a long list is cut", async (t) => {
  const many = Array.from({ length: 7 }, (_, at) => bundle(`b${at}`, "SignatureInvalid"));
  const found = bundleFindings([bundle("good", "Synced"), ...many, bundle("one", "PendingApproval")]);
  t.strictSame(short(found), ["ok 1 ready", "problem SignatureInvalid", "problem PendingApproval"]);
  t.match(found[1], { message: /^7 bundles not ready: shop\/b0, .*shop\/b4 and 2 more$/, next: /zopp set/ });
  t.strictSame(short(bundleFindings([])), ["ok 0 ready"]);
});

t.test("bundles that nobody has looked at are a problem where it is all of them", async (t) => {
  const changed = bundle("changed", "Synced", { observedGeneration: 0 });
  t.match(bundleFindings([bundle("good", "Synced"), changed])[1], {
    state: "warning",
    message: /1 bundle: shop\/changed/,
  });
  t.match(bundleFindings([bundle("a", undefined), bundle("b", undefined)]), [
    { state: "problem", message: /2 bundles/ },
  ]);
});

t.test("workloads that wait for their restart are a warning, by the operator's reason", async (t) => {
  const waits = (name: string, reason: string) => {
    const condition = { type: "RestartPending", status: "True", reason, message: "", lastTransitionTime: "" };
    return bundle(name, "Synced", { conditions: [condition as never] });
  };
  const found = restartFindings([
    waits("api", "RestartRefused"),
    waits("web", "RestartRefused"),
    bundle("b", "Synced"),
  ]);
  t.match(found, [
    {
      state: "warning",
      reason: "RestartRefused",
      message: "workloads of 2 bundles wait for their restart: shop/api, shop/web",
      next: /`zopp status BUNDLE --store cluster`/,
    },
  ]);
  t.equal(found.length, 1);
});

t.test("bundles whose rotation has stopped are a warning, and those whose job runs are none", async (t) => {
  const rotates = (name: string, reason: string) => {
    const condition = { type: "RotationPending", status: "True", reason, message: "", lastTransitionTime: "" };
    return bundle(name, "Synced", { conditions: [condition as never] });
  };
  const stopped = [
    rotates("api", "RotationFailed"),
    rotates("off", "RotationDisabled"),
    rotates("web", "RotationPending"),
  ];
  const [state, next] = ["warning", /`zopp status BUNDLE --store cluster`/] as const;
  t.match(rotationFindings(stopped), [
    {
      state,
      reason: "RotationFailed",
      message: "new values of 1 bundle are not published, since the job failed: shop/api",
      next,
    },
    {
      state,
      reason: "RotationDisabled",
      message: "new values of 1 bundle are not published, since the operator runs no jobs: shop/off",
      next,
    },
  ]);
  t.strictSame(rotationFindings([rotates("web", "RotationPending"), bundle("b", "Synced")]), []);
});

t.test("bundles whose certificates wait for their CA are a warning", async (t) => {
  const waits = (name: string, reason: string) => {
    const condition = { type: "CertificatePending", status: "True", reason, message: "", lastTransitionTime: "" };
    return bundle(name, "Synced", { conditions: [condition as never] });
  };
  t.match(certificateFindings([waits("api", "IssuerRefused"), bundle("b", "Synced"), waits("web", "IssuerRefused")]), [
    {
      state: "warning",
      reason: "IssuerRefused",
      message: "certificates of 2 bundles are due, and their CA does not sign: shop/api, shop/web",
      next: /`zopp status BUNDLE --store cluster`/,
    },
  ]);
});

t.test("values that end are a warning", async (t) => {
  const expiring = [
    { key: "A", expires: "2026-01-01T00:00:00Z", reason: "Expired" },
    { key: "B", expires: "2026-01-09T00:00:00Z", reason: "ExpiresSoon" },
  ];
  t.match(valueFindings([bundle("api", "Synced", { expiring })], new Date("2025-12-31T12:00:00Z")), [
    {
      state: "warning",
      message: "2 values of shop/api end soon or have ended (1 have)",
      next: /`zopp status --expiring 9d`/,
    },
  ]);
  t.strictSame(short(valueFindings([bundle("api", "Synced")], new Date())), ["ok none has an end"]);
});

t.test(
  "a resource type that is not there, or not served, is missing; one with another schema is told apart",
  async (t) => {
    const version = (schema: object, served = true) => ({
      metadata: { name: "x" },
      spec: { versions: [{ name: "v1alpha1", served, schema: { openAPIV3Schema: { ...schema } } }] },
    });
    const found = typeFindings(
      new Map([
        ["ZoppSecret", version({ type: "object" })],
        ["ZoppLedger", undefined],
        ["ZoppBaseline", version({}, false)],
      ]),
    );
    t.match(found, [
      { state: "problem", message: "not there: ZoppLedger, ZoppBaseline" },
      { state: "problem", message: /of another version than this zopp.*: ZoppSecret$/ },
    ]);
  },
);

const { workspace, environment } = world();
const EU = cluster("eu-1");
const GOOD: Description = {
  cluster: { signingKey: EU.signingKey, encryptionKey: EU.encryptionKey, log: EU.log ?? "" },
  ready: true,
  workspaces: [{ name: "acme", uid: "", generation: 1, accepted: { version: workspace.version, digest: "" } }],
  environments: [
    { name: "acme.shop.production", uid: "", generation: 1, accepted: { version: environment.version, digest: "" } },
  ],
  baselines: [],
};
const refused = (code: "PolicyRollback" | "ClusterNotNamed" | "NotServedHere") => [
  { name: "acme.shop.production", uid: "", generation: 1, refused: { code, message: "no" } },
];
const SAID: Record<string, readonly [changes: Partial<Description>, found: readonly string[]]> = {
  "is ready and up to date": [{}, ["ok the keyring of eu-1 is ready and goes by the policy that the cluster has"]],
  "has no policy": [{ ready: false, reason: "NoPolicy" }, ["problem NoPolicy"]],
  "has another log": [{ cluster: { ...GOOD.cluster, log: "other" } }, ["problem LedgerLost"]],
  "refuses an environment": [{ environments: refused("PolicyRollback") }, ["problem PolicyRollback"]],
  "has no key of an environment": [{ environments: refused("ClusterNotNamed") }, ["problem ClusterNotNamed"]],
  "does not serve an environment of another cluster": [
    { environments: refused("NotServedHere") },
    ["ok the keyring of eu-1 is ready and goes by the policy that the cluster has"],
  ],
  "has not seen the newest": [
    { environments: [] },
    [
      `warning the keyring of eu-1 has not accepted acme.shop.production, which has version ${environment.version} in the cluster`,
    ],
  ],
};
for (const [title, [changes, found]] of Object.entries(SAID)) {
  t.test(`a keyring that ${title}`, async (t) => {
    const here = { workspace, environments: [environment] };
    t.strictSame(short(keyringFindings(EU, { ...GOOD, ...changes }, here)), found);
  });
}

t.test("processes are told by what kubelet says of their containers; what the chart ran once has ended", async (t) => {
  const pod = (name: string, ready: boolean, more: object = {}, phase = "Running"): ZoppPod => ({
    metadata: { name: "zopp-1" },
    status: { phase, containerStatuses: [{ name, ready, ...more }] },
  });
  t.strictSame(short(processFindings([pod("operator", true), pod("keyring", true)], "zopp-system")), [
    "ok operator and keyring are ready",
  ]);
  const state = { waiting: { reason: "CrashLoopBackOff" } };
  t.strictSame(
    short(
      processFindings([pod("operator", false, { state, restartCount: 3 }), pod("keyring", false, {}, "Failed")], "zs"),
    ),
    ["problem no keyring runs in zs", "problem operator in pod zopp-1 is not ready: CrashLoopBackOff (3 restarts)"],
  );
});

t.test("what somebody may not look at is unknown, which is not the same as good", async (t) => {
  t.match(findingOf("processes", new ZoppError("ApiRefused", "cannot list pods")), { state: "unknown" });
  t.match(findingOf("policy", new ZoppError("NotPinned", "no")), { state: "problem", next: /zopp trust/ });
});

t.test("values of a keyring that policy does not name are told with the command that has others made", async (t) => {
  const rule = { version: 1, kind: "uuid" } as const;
  const value = (by: string) => ({ version: 1, by, made: "", rule: "", sealed: "", signature: "", to: "" });
  const generating = (name: string, by: string): ZoppSecret => {
    const { spec, ...rest } = bundle(name, "Synced", { generated: { TOKEN: value("zk1new"), KEY: value(by) } });
    return { ...rest, spec: { ...spec, generate: { TOKEN: rule, KEY: rule, LATER: rule } } };
  };
  const named = new Set(["zk1new", "zk1other"]);
  t.match(
    generatedFindings([generating("a", "zk1old"), generating("b", "zk1other"), generating("c", "zk1old")], named),
    [
      {
        state: "warning",
        message: /2 bundles are of a keyring that policy does not name.*: shop\/a, shop\/c$/,
        next: "have others made: `zopp generate shop/a KEY --again`, and 1 more",
      },
    ],
  );
  t.strictSame(generatedFindings([generating("b", "zk1new")], named), []);
});
