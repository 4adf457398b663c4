import t from "tap";
import { stringify } from "yaml";
import { apiTrials, type Sent } from "../../hack/api-trials.js";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { must } from "../../hack/control-plane/kubectl.js";
import { changed, type Path } from "../../hack/field-table.js";
import { baseline } from "../../hack/fixtures.baseline.js";
import { acme, bundle, environmentKey, person, production, world } from "../../hack/fixtures.js";
import { parseObject, parseSecret } from "../validate.js";

const NAMESPACE = "shop-prod";
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

const { environment } = world();

/** A bundle under a name of its own, so that tests do not meet. */
function named(name: string, values: Readonly<Record<string, string>>) {
  return bundle(environment, values, { name });
}

async function stored(kind: string, name: string): Promise<unknown> {
  const args = ["get", kind, name, "--namespace", NAMESPACE, "--output", "json"];
  return JSON.parse(await must(cp.kubectl(args)));
}

t.test("kubectl apply takes every kind from YAML, and what it stores is what was written", async (t) => {
  for (const object of [acme(), production(), baseline(world(), []), named("from-yaml", { A: "a", B: "b" })]) {
    const input = stringify(object, { version: "1.1" });
    await must(cp.kubectl(["apply", "--filename", "-"], { input }));
    const back = parseObject(await stored(object.kind.toLowerCase(), object.metadata.name));
    t.same(back.spec, object.spec, object.kind);
  }
});

t.test("keys and times that YAML takes for something else stay texts when they are quoted", async (t) => {
  const object = changed(
    named("quoted", { NO: "1", on: "2", y: "3", "1e3": "4", null: "5" }),
    ["spec", "data", "NO", "expires"],
    "2027-02-18T00:00:00Z",
  );
  const input = stringify(object, { version: "1.1" });
  t.match(input, /"NO":/);
  await must(cp.kubectl(["apply", "--server-side", "--filename", "-"], { input }));
  const { data } = parseSecret(await stored("zs", "quoted")).spec;
  t.strictSame(Object.keys(data ?? {}).sort(), ["1e3", "NO", "null", "on", "y"]);
  t.equal(data?.["NO"]?.expires, "2027-02-18T00:00:00Z");
});

t.test("an unknown field is refused by kubectl, whichever way it applies", async (t) => {
  const input = JSON.stringify(changed(named("unknown", { A: "a" }), ["spec", "data", "A", "floor"], true));
  for (const way of [["apply"], ["apply", "--server-side"], ["create"]]) {
    const { code, stderr } = await cp.kubectl([...way, "--filename", "-"], { input });
    t.equal(code, 1);
    t.match(stderr, /floor/, way.join(" "));
  }
});

t.test("two managers of one workspace do not mix its signed lists", async (t) => {
  const byOne = { ...acme(), metadata: { name: "mixed" } };
  const people = [person("alice", ["phone"]), person("carol")];
  const byTwo = changed(byOne, ["spec", "principals"], people) as typeof byOne;
  t.equal((await trials.apply(byOne, "zopp")).code, 201);
  const { object } = await trials.apply(byTwo, "flux");
  t.strictSame(object.spec, byTwo.spec, "exactly what was applied last: nobody removed is still there");
});

t.test("two managers of one baseline do not mix what it lists, nor whose keys it has", async (t) => {
  const one = baseline(world(), [named("a", { A: "a" }), named("b", { B: "b" })], { authors: ["bob"] });
  const two = baseline(world(), [named("c", { C: "c" })], { authors: ["carol"] });
  t.strictSame((await trials.apply(one, "zopp")).object.spec, one.spec);
  const { object } = await trials.apply(two, "flux");
  t.strictSame(object.spec, two.spec);
});

t.test("two managers of one bundle do not mix an entry, and each keeps its own keys", async (t) => {
  const whole = named("two", { A: "a", B: "b" });
  const { A, B } = whole.spec.data ?? {};
  const one = changed(whole, ["spec", "data"], { A: { ...A, expires: "2027-01-01T00:00:00Z" } }) as Sent;
  t.equal((await trials.apply(one, "zopp")).code, 201);
  const { object } = await trials.apply(changed(whole, ["spec", "data"], { A, B }) as Sent, "flux");
  t.strictSame(object.spec["data"], { A, B }, "no end of another manager's entry stays");
  const again = await trials.apply(changed(whole, ["spec", "data"], { B }) as Sent, "other");
  t.strictSame(again.object.spec["data"], { A, B }, "a manager of one key leaves the other keys alone");
});

t.test("an epoch keeps its key; a new epoch, a lower version and the same object again are taken", async (t) => {
  const [key] = production().spec.keys;
  const first = changed(production(), ["spec", "environment"], "steady") as ReturnType<typeof production>;
  const base = { ...first, metadata: { name: "acme.shop.steady" } };
  const { object } = await trials.create(base);
  const sent = (path: Path, value: unknown) =>
    trials.replace(changed({ ...base, metadata: object.metadata }, path, value) as Sent);
  const other = await sent(["spec", "keys", 0, "public"], environmentKey.x25519.public.text);
  t.match(other, { code: 422, message: /an epoch keeps its public key and binding/ });
  const unbound = await sent(["spec", "keys", 0, "binding"], "environment");
  t.match(unbound, { code: 422, message: /an epoch keeps its public key and binding/ });
  t.match(await sent(["spec", "version"], 1), { code: 200 }, "CEL orders no versions");
  const { object: now } = await trials.apply(base, "zopp");
  const more = changed({ ...base, metadata: now.metadata }, ["spec", "keys", 1], { ...key, epoch: 2 });
  t.match(await trials.replace(more as Sent), { code: 200 });
});

t.test("a segment never changes", async (t) => {
  const hash = "0".repeat(64);
  const { signature } = named("any", {}).spec.header;
  const segment = {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppAuditSegment",
    metadata: { name: "log-1-000000000000", namespace: NAMESPACE },
    spec: { log: "log-1", first: 0, count: 1, previous: hash, hash, records: "AAAA", signature },
  };
  const { object } = await trials.create(segment);
  const edited = {
    ...segment,
    metadata: object.metadata,
    spec: { ...segment.spec, records: "AAAB" },
  } as unknown as Sent;
  t.match(await trials.replace(edited), { code: 422, message: /a segment never changes/ });
});

t.test("the API server refuses a rotation that parsing refuses, and says why", async (t) => {
  const rotated = bundle(
    environment,
    { ADMIN_URL: "postgres://admin@db" },
    {
      name: "rotated",
      render: { DSN: "[[ USER ]]" },
      generate: { USER: { version: 1, kind: "uuid", previous: "USER_OLD" } },
      rotation: { image: "rotate", command: ["/bin/rotate"], deadline: "1h", keys: ["ADMIN_URL"] },
    },
  );
  t.match(await trials.tryCreate(rotated), { code: 201 });
  const refused: readonly (readonly [Path, unknown, RegExp])[] = [
    [["spec", "generate"], {}, /rotation needs generated values, each with previous/],
    [["spec", "generate", "USER"], { version: 1, kind: "uuid" }, /rotation needs generated values, each with previous/],
    [["spec", "rotation", "keys", 0], "USER", /may not be a generated or rendered key as well/],
    [["spec", "rotation", "keys", 0], "DSN", /may not be a generated or rendered key as well/],
    [["spec", "rotation", "keys", 1], "ADMIN_URL", /each key stands there once/],
    [["spec", "rotation", "deadline"], "61m", /a job has at most 1h/],
    [["spec", "rotation", "deadline"], "99999h", /deadline/],
  ];
  for (const [path, value, message] of refused) {
    const object = changed(rotated, path, value);
    t.match(await trials.tryCreate(object), { code: 422, message }, path.join("."));
    t.throws(() => parseSecret(object), { code: "Malformed" }, path.join("."));
  }
});

t.test("kubectl get shows the columns that people look for; status changes no generation", async (t) => {
  const object = named("shown", { A: "a", B: "b" });
  const digest = "0123456789abcdef".repeat(4);
  const { code, object: created } = await trials.create(object);
  t.equal(code, 201);
  const condition = {
    type: "Ready",
    status: "True",
    reason: "Synced",
    message: "written",
    lastTransitionTime: "2026-11-23T10:11:12Z",
  };
  const status = {
    observedGeneration: 1,
    digest,
    policy: [digest, digest],
    entries: 2,
    expires: "2027-02-18T00:00:00Z",
    target: { name: "shown-env", uid: "u", resourceVersion: "1" },
    conditions: [condition],
    history: [{ digest, time: "2026-11-23T10:11:12Z", result: "Synced" }],
  };
  const ignored = await trials.replace({ ...object, metadata: created.metadata, status } as unknown as Sent);
  t.equal(ignored.object.status, undefined, "only the subresource writes status");
  const { apiVersion, kind, metadata } = object;
  const { object: after } = await trials.apply({ apiVersion, kind, metadata, status } as Sent, "zopp", "/status");
  t.strictSame(after.status, status);
  t.equal(after.metadata["generation"], 1);
  const table = await must(cp.kubectl(["get", "zs", "shown", "--namespace", NAMESPACE, "--output", "wide"]));
  const [head, row] = table
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/\s{2,}/));
  t.strictSame(head, ["NAME", "READY", "REASON", "ENVIRONMENT", "KEYS", "TARGET", "AGE", "DIGEST", "EXPIRES"]);
  t.match(row, [
    "shown",
    "True",
    "Synced",
    "acme/shop/production",
    "2",
    "shown-env",
    /^\d+s$/,
    digest,
    "2027-02-18T00:00:00Z",
  ]);
  const narrow = await must(cp.kubectl(["get", "zs", "shown", "--namespace", NAMESPACE]));
  t.notMatch(narrow, /DIGEST|EXPIRES/);
});

t.test("kubectl explain describes every field", async (t) => {
  const text = await must(cp.kubectl(["explain", "zs.spec.data", "--recursive"]));
  t.match(text, /sealed\s+<string>/);
  t.match(await must(cp.kubectl(["explain", "zws.spec.grants.scope"])), /\*, a project, or project\/environment/);
});
