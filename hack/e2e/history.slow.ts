// What the operator keeps of bundles, on a real API server: what is listed, how much stays, what outlives what.
import t from "tap";
import { hasStatus } from "../../operator/kube/errors.js";
import { CONTROLLER_REVISIONS, type KubeObject, type Resource } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { withHeader, withTombstone } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, quiet, readMetrics } from "../testbed.look.js";
import { historyWorld } from "./history.world.js";

const bed = await startTestbed({ env: { ZOPP_OPERATOR_HISTORY: "10" } });
t.teardown(() => bed.stop());

const { zopp, kept, isKept, stored, change, setting } = historyWorld(t, bed);
const kubectl = kubectlOf(bed);

t.test(
  "each state that was applied is kept as it was, sealed, and is listed with when, which keys and who",
  async (t) => {
    await bed.applyBundle(bed.seal({ A: "s3cret-one", B: "s3cret-b" }));
    const { spec: first } = await bed.settled("Synced");
    await change("api", setting("A", "s3cret-two", "bob"));
    await change("api", (present) =>
      withTombstone(withHeader(present, { restart: "none" }, bed.writing()), "B", bed.writing()),
    );
    const [one, ...others] = await isKept("api", 3);
    t.same(one?.data.spec, first, "byte for byte what was signed");
    t.match(one?.metadata.ownerReferences, [{ kind: "ZoppSecret", name: "api", controller: true }]);
    t.notMatch(JSON.stringify([one, others]), /s3cret/);
    const { out, err } = await zopp("carol", ["history", "shop-prod/api", "-o", "json"]);
    t.match(JSON.parse(out).revisions, [
      {
        revision: "3",
        present: true,
        parts: [
          { change: "changed", author: "alice" },
          { key: "B", change: "retired" },
        ],
      },
      { revision: "2", when: /^\d{4}-.*Z$/, parts: [{ key: "A", change: "changed", author: "bob" }] },
      { revision: "1", parts: [{ change: "added" }, { key: "A", author: "alice" }, { key: "B", change: "added" }] },
    ]);
    t.notMatch(out + err, /s3cret/);
    const diff = await zopp("carol", ["diff", "shop-prod/api", "1", "2"]);
    t.match(diff, { code: 1, out: /^shop-prod\/api\n {2}~ A changed, version \d+ -> \d+ by bob\n$/ });
    t.match(await zopp("carol", ["diff", "shop-prod/api", "1", "--values"]), { err: "is not shown: NotRecipient" });
    t.match(await zopp("carol", ["diff", "shop-prod/api"]), { code: 2, err: "zopp history" });
    t.match(await zopp("carol", ["diff", "shop-prod/api", "7"]), { code: 4, err: "has no revision 7" });
  },
);

t.test("refusals and repairs are no states, and a restart keeps nothing twice and loses nothing", async (t) => {
  const before = await isKept("api", 3);
  await kubectl("patch", "secret", "api", "--patch", '{"data":{"A":"eA=="}}');
  await eventually(async () => (await bed.secret()).data?.["A"] === "s3cret-two");
  const good = await stored("api");
  const { sealed = "" } = good.spec.data?.["A"] ?? {};
  await bed.applyBundle(withEntry(good, "A", { sealed: flip(sealed) }));
  await bed.settled("SignatureInvalid");
  await bed.applyBundle(good);
  await bed.settled("Synced");
  await quiet(bed);
  t.same(
    (await kept("api")).map(({ metadata }) => metadata),
    before.map(({ metadata }) => metadata),
  );
  await bed.operator.stop();
  await bed.applyBundle(setting("A", "s3cret-three")(good));
  await bed.startOperator();
  const states = await isKept("api", 4);
  t.same(
    states.slice(0, 3).map(({ metadata }) => metadata.resourceVersion),
    before.map(({ metadata }) => metadata.resourceVersion),
  );
});

t.test("the oldest go, and never what is somebody else's", async (t) => {
  await bed.operator.stop();
  await bed.startOperator(["--history", "3"]);
  const foreign = {
    metadata: {
      name: "web-1",
      namespace: "shop-prod",
      labels: { "zopp.dev/bundle-uid": (await bed.bundle()).metadata.uid ?? "" },
    },
    revision: 1,
    data: {},
  };
  await bed.client.create(CONTROLLER_REVISIONS, foreign);
  for (const value of ["v3", "v4"]) await change("api", setting("IMAGE_TAG", value));
  const { metadata } = await bed.bundle();
  const isThere = async () => (await isKept("api", 3)).at(-1)?.revision === metadata.generation;
  await eventually(isThere, { message: "three are there, and the newest of them is" });
  t.ok(await bed.client.get(CONTROLLER_REVISIONS, foreign.metadata));
});

t.test("with a history of 0 nothing is kept; what ran then is kept when it is replaced later", async (t) => {
  await bed.operator.stop();
  await bed.startOperator(["--history", "0"]);
  await bed.applyBundle(bed.seal({ A: "1" }, { name: "quiet" }));
  await bed.settled("Synced", "quiet");
  await change("quiet", setting("A", "2"));
  await quiet(bed);
  t.same(await kept("quiet"), []);
  t.equal((await readMetrics(bed.ports.metrics)).sum("zopp_history_total"), 0);
  await bed.operator.stop();
  await bed.startOperator();
  await change("quiet", setting("A", "3"));
  const states = await isKept("quiet", 2);
  t.same(
    states.map(({ revision }) => revision),
    [2, 3],
  );
});

const POLICIES: Resource = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingadmissionpolicies",
  kind: "ValidatingAdmissionPolicy",
  namespaced: false,
};
const BINDINGS: Resource = {
  ...POLICIES,
  plural: "validatingadmissionpolicybindings",
  kind: "ValidatingAdmissionPolicyBinding",
};

t.test("a history that cannot be written holds no Secret up, is counted, and is caught up with", async (t) => {
  const metadata = { name: "no-history" };
  const resourceRules = [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["controllerrevisions"] },
  ];
  await bed.apply(POLICIES, {
    metadata,
    spec: { matchConstraints: { resourceRules }, validations: [{ expression: "false" }] },
  } as KubeObject);
  await bed.apply(BINDINGS, {
    metadata,
    spec: { policyName: "no-history", validationActions: ["Deny"] },
  } as KubeObject);
  const probe = { metadata: { name: "probe", namespace: "shop-prod" }, revision: 1, data: {} };
  const isRefused = () =>
    bed.client.create(CONTROLLER_REVISIONS, probe, { dryRun: true }).then(
      () => false,
      (error) => hasStatus(error, 422) || hasStatus(error, 403),
    );
  await eventually(isRefused, { message: "revisions are refused" });
  await change("quiet", setting("A", "4"));
  t.equal((await bed.secret("quiet")).data?.["A"], "4");
  await eventually(
    async () => (await readMetrics(bed.ports.metrics)).sum("zopp_history_total", { result: "failed" }) > 0,
  );
  await change("quiet", setting("A", "5"));
  t.equal((await kept("quiet")).length, 2);
  await kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-history");
  const states = await eventually(
    async () => {
      const found = await kept("quiet");
      return found.length === 4 && found;
    },
    { timeoutMs: 90_000, message: "what waited is kept" },
  );
  t.same(
    states.map(({ revision }) => revision),
    [2, 3, 4, 5],
  );
});

t.test("what is kept of a bundle goes with it", async () => {
  await kubectl("delete", "zoppsecret", "quiet");
  await eventually(async () => (await kept("quiet")).length === 0, {
    timeoutMs: 90_000,
    message: "its states are gone",
  });
});
