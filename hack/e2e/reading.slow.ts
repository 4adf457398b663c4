// Reading through a running keyring by the command line: people, services and pods, and those who try to get more.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import { amendWorkspace, type WorkspaceContent, workspaceContent } from "../../crds/policy/edit.js";
import { formatPin } from "../../crds/policy/pin.js";
import type { Grant, Principal } from "../../crds/types.gen.js";
import { createOperatorPod } from "../control-plane/operator-pod.js";
import { eventually } from "../eventually.js";
import { cluster, digestOfOwners, seedOf } from "../fixtures.js";
import { runProgram } from "../run-program.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, workspaceInForce } from "../testbed.look.js";
import { signing } from "../testbed.policy.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const bed = await startTestbed();
t.teardown(() => bed.stop());

const kubectl = kubectlOf(bed);
const ENDPOINT = `127.0.0.1:${bed.ports.keyring}`;
const STORE = ["--store", "cluster", "--workspace", "acme"];
const BASE = { PATH: process.env["PATH"], HOME: bed.folder, KUBECONFIG: bed.controlPlane.kubeconfig };

/** Runs zopp as a person or service of the policy. */
function zopp(as: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const token = formatToken(seedOf(as), digestOfOwners(bed.workspace));
  return runProgram([process.execPath, ZOPP, ...words], {
    env: { ...BASE, ZOPP_TOKEN: token, ...env },
    cwd: bed.folder,
  });
}

function get(as: string, ...words: readonly string[]) {
  return zopp(as, ["get", "shop-prod/api", ...words, ...STORE]);
}

/** Runs zopp in a pod's place: with a token file, a pin, and the rights of the pod's account on the API server. */
function inPod(tokenFile: string, kubeconfig: string, command: string, ...flags: readonly string[]) {
  const pin = formatPin({ workspace: "acme", owners: digestOfOwners(bed.workspace), minVersion: 0 });
  const env = {
    PATH: BASE.PATH,
    KUBECONFIG: kubeconfig,
    ZOPP_STORE: "cluster",
    ZOPP_TRUST: pin,
    ZOPP_TOKEN_FILE: tokenFile,
  };
  return runProgram([process.execPath, ZOPP, "run", "shop-prod/api", ...flags, "--", command], { env, cwd: "/" });
}

/** Signs a change of the workspace, and waits until the keyring goes by it. */
async function amend(change: (content: WorkspaceContent) => Partial<WorkspaceContent>): Promise<void> {
  const content = workspaceContent(bed.workspace);
  await bed.amendPolicy({ workspace: amendWorkspace(bed.workspace, { ...content, ...change(content) }, signing()) });
  await workspaceInForce(bed);
}

const grant = (...more: Grant[]) => amend(({ grants = [] }) => ({ grants: [...grants, ...more] }));

/** What the keyring has recorded of somebody. */
function records(actor: string): readonly Record<string, unknown>[] {
  const lines = bed.keyring.lines.filter((line) => line.startsWith('{"audit":'));
  const all = lines.map((line) => (JSON.parse(line) as { audit: Record<string, unknown> }).audit);
  return all.filter((record) => String(record["actor"]).startsWith(actor));
}

const VALUES = { DB_PASSWORD: "hunter2", DB_USER: "shop", IMAGE_TAG: "v1" };

t.test(
  "a person reads a brokered environment at the endpoint that policy names, recorded as read by him",
  async (t) => {
    await bed.applyBundle(
      bed.seal(VALUES, {
        render: { DB_URL: "db://[[ DB_USER ]]:[[ DB_PASSWORD | urlencode ]]@db", ALL: "[[ * | json ]]" },
      }),
    );
    await bed.settled("Synced");
    await amend(({ clusters = [] }) => ({ clusters: clusters.map((each) => ({ ...each, endpoint: ENDPOINT })) }));
    const one = await get("bob", "DB_PASSWORD");
    t.equal(one.stdout, "hunter2", one.stderr);
    const json = JSON.parse((await get("bob", "-o", "json")).stdout);
    t.same(json.entries, Object.fromEntries(Object.entries(VALUES).map(([key, value]) => [key, { value }])));
    t.match(records("bob/"), [
      { action: "read", decision: "released", evidence: "proved", object: "shop-prod/api", keys: ["DB_PASSWORD"] },
      { action: "read", decision: "released", keys: Object.keys(VALUES) },
    ]);
  },
);

t.test("who may write only, or nothing, or some keys only, gets no more than that", async (t) => {
  const ci = await get("ci", "IMAGE_TAG");
  t.equal(ci.code, 3);
  t.match(ci.stderr, "NotAuthorised: ci may not read IMAGE_TAG of bundle shop-prod/api");
  t.equal((await get("carol")).code, 3);
  await grant({ subject: "carol", role: "read", scope: "shop", keys: ["IMAGE_*"] });
  const some = await get("carol", "-o", "json");
  t.same(JSON.parse(some.stdout).entries, { IMAGE_TAG: { value: "v1" } }, some.stderr);
  t.match(some.stderr, "you may not read it: DB_PASSWORD, DB_USER");
  const ran = await zopp("carol", ["run", "shop-prod/api", ...STORE, "--", "sh", "-c", 'echo "$IMAGE_TAG:$ALL"']);
  t.equal(ran.stdout, "v1:\n", "all values are not the some that a reader has");
  t.match(ran.stderr, "ALL is not rendered");
  t.equal((await get("carol", "DB_PASSWORD")).code, 3);
  t.ok(records("carol/").some(({ decision, reason }) => decision === "refused" && reason === "NotAuthorised"));
});

t.test("a keyring that is not there is named with what to do, and one with another key is refused", async (t) => {
  const gone = await get("bob", "DB_USER", "--keyring", "127.0.0.1:1");
  t.equal(gone.code, 8);
  t.match(
    gone.stderr,
    /KeyringUnavailable: the keyring of cluster eu-1 does not answer at 127\.0\.0\.1:1.* is brokered/,
  );
  const api = new URL(bed.client.endpoint.server).host;
  const other = await get("bob", "DB_USER", "--keyring", api);
  t.equal(other.code === 3 || other.code === 8, true, other.stderr);
  t.equal(other.stdout, "");
  t.equal((await get("bob", "DB_USER", "--cluster", "us-1")).code, 4);
});

t.test(
  "a program runs with the values, and what is rendered of them, in its environment and nowhere else",
  async (t) => {
    const script =
      'echo "$DB_USER $DB_PASSWORD $DB_URL $ALL"; tr "\\0" " " </proc/$PPID/cmdline; tr "\\0" "\\n" </proc/$PPID/environ; exit 23';
    const ran = await zopp("bob", ["run", "shop-prod/api", ...STORE, "--", "sh", "-c", script]);
    t.equal(ran.code, 23, "its exit code is passed on");
    const [first, ...rest] = ran.stdout.split("\n");
    t.equal(first, `shop hunter2 db://shop:hunter2@db ${JSON.stringify(VALUES)}`);
    t.notMatch(rest.join("\n"), /hunter2/, "neither the command line nor the environment of zopp holds it");
    const killed = await zopp("bob", ["run", "shop-prod/api", ...STORE, "--", "sh", "-c", "kill -TERM $$"]);
    t.equal(killed.code, 143);
    const trap = "trap 'exit 7' TERM; kill -TERM $PPID; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done";
    t.equal(
      (await zopp("bob", ["run", "shop-prod/api", ...STORE, "--", "sh", "-c", trap])).code,
      7,
      "a signal reaches it",
    );
    t.equal((await zopp("bob", ["run", "shop-prod/api", ...STORE, "--", "/no/such/program"])).code, 4);
    const denied = await zopp("ci", ["run", "shop-prod/api", ...STORE, "--", "echo", "started"]);
    t.same([denied.code, denied.stdout], [3, ""], "who may not read starts nothing");
  },
);

t.test("a person edits a brokered bundle: what he changes is sealed anew and comes into the Secret", async (t) => {
  const before = (await bed.bundle()).spec.data;
  const edited = await zopp("bob", ["edit", "shop-prod/api", ...STORE], { EDITOR: "sed -i s/v1/v2/" });
  t.equal(edited.code, 0, edited.stderr);
  const { spec } = await bed.bundle();
  t.same([spec.data?.["DB_USER"], spec.data?.["DB_PASSWORD"]], [before?.["DB_USER"], before?.["DB_PASSWORD"]]);
  await eventually(async () => (await bed.secret()).data?.["IMAGE_TAG"] === "v2");
});

t.test("a pod reads by its projected token what is granted to its account, with rights on three objects", async (t) => {
  const { controlPlane } = bed;
  const pods = {
    api: { namespace: "shop-prod", serviceAccount: "api" },
    worker: { namespace: "shop-prod", serviceAccount: "worker" },
  };
  const tokens: Record<string, string> = {};
  mkdirSync(join(bed.folder, "tokens"));
  for (const [name, account] of Object.entries(pods)) {
    const pod = await createOperatorPod(controlPlane, { ...account, name: `${name}-0` });
    tokens[name] = join(bed.folder, "tokens", name);
    writeFileSync(tokens[name], await pod.token(), { mode: 0o600 });
  }
  const { api = "", worker = "" } = tokens;
  const all = ["--resource-name", "api", "--resource-name", "acme", "--resource-name", "acme.shop.production"];
  await kubectl(
    "create",
    "clusterrole",
    "reader",
    "--verb=get",
    "--resource=zoppsecrets,zoppworkspaces,zoppenvironments",
    ...all,
  );
  await kubectl(
    "create",
    "clusterrolebinding",
    "reader",
    "--clusterrole=reader",
    "--serviceaccount=shop-prod:api",
    "--serviceaccount=shop-prod:worker",
  );
  const [mine, others] = [
    await controlPlane.serviceAccountKubeconfig("shop-prod", "api"),
    await controlPlane.serviceAccountKubeconfig("shop-prod", "worker"),
  ];

  const unnamed = await inPod(api, mine, "env");
  t.equal(unnamed.code, 3);
  t.match(unnamed.stderr, "names no workload of the account shop-prod/api");

  const principal: Principal = { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-prod/api" };
  await amend(({ principals }) => ({ principals: [...principals, principal] }));
  await grant({ subject: "api", role: "read", scope: "shop/production", keys: ["DB_*"] });
  const ran = await inPod(api, mine, "env");
  t.equal(ran.code, 0, ran.stderr);
  t.match(ran.stdout, "DB_PASSWORD=hunter2");
  t.match(ran.stdout, "DB_URL=db://shop:hunter2@db");
  t.notMatch(ran.stdout, "IMAGE_TAG=");
  t.match(ran.stderr, "you may not read it: IMAGE_TAG");
  t.match(records("api/api-0"), [
    { action: "read", decision: "released", evidence: "proved", keys: ["DB_PASSWORD", "DB_USER"] },
  ]);

  t.test("nobody else by it: not another account's pod, nor a token for no pod or another audience", async (t) => {
    t.equal((await inPod(worker, others, "env")).code, 3);
    const forged = join(bed.folder, "tokens", "forged");
    for (const [what, args] of Object.entries({
      "bound to no pod": ["--audience", "zopp-keyring"],
      "for the API server": [],
    })) {
      writeFileSync(forged, await kubectl("create", "token", "api", ...args), { mode: 0o600 });
      const refused = await inPod(forged, mine, "env");
      t.match(refused.stderr, "EnrolmentRefused", what);
      t.notMatch(refused.stdout, "hunter2", what);
    }
    const [head = "", , signature = ""] = (
      await kubectl("create", "token", "worker", "--audience", "zopp-keyring")
    ).split(".");
    const claims = Buffer.from(JSON.stringify({ sub: "system:serviceaccount:shop-prod:api", aud: ["zopp-keyring"] }));
    writeFileSync(forged, `${head}.${claims.toString("base64url")}.${signature}`);
    t.match((await inPod(forged, mine, "env")).stderr, "EnrolmentRefused", "claims of its own");
  });

  t.test("a token that is used again elsewhere is a second enrolment in the log", async (t) => {
    const enrolments = () => records("system:serviceaccount:shop-prod:api").filter(({ action }) => action === "enrol");
    const before = enrolments().length;
    t.equal((await inPod(api, mine, "true")).code, 0);
    const kids = enrolments().map(({ kid }) => kid);
    t.equal(kids.length, before + 1);
    t.equal(new Set(kids).size, kids.length, "each with a key of its own");
  });

  t.test("the workload of another cluster is not this one", async (t) => {
    await amend(({ principals, clusters = [] }) => ({
      clusters: [...clusters, cluster("us-1")],
      principals: principals.map((each) => (each.name === "api" ? { ...each, cluster: "us-1" } : each)),
    }));
    const moved = await inPod(api, mine, "env");
    t.match(moved.stderr, /cluster us-1/, "policy sends it there");
    const insisting = await inPod(api, mine, "env", "--cluster", "eu-1");
    t.match(insisting.stderr, "EnrolmentRefused", "and this keyring does not know it");
    t.notMatch(insisting.stdout, "hunter2");
  });
});

t.test("a reader whose grant has ended, and one who leaves, read nothing more", async (t) => {
  const soon = `${new Date(Date.now() + 4_000).toISOString().slice(0, 19)}Z`;
  await amend(({ grants = [] }) => ({
    grants: [
      ...grants.filter(({ subject }) => subject !== "carol"),
      { subject: "carol", role: "read", scope: "shop", expires: soon },
    ],
  }));
  await eventually(async () => (await get("carol", "DB_USER")).code === 3);
  t.equal((await get("bob", "DB_USER")).code, 0);
  await amend(({ principals, grants = [], groups = [] }) => ({
    principals: principals.filter(({ name }) => name !== "bob"),
    grants: grants.filter(({ subject }) => subject !== "bob"),
    groups: groups.filter(({ name }) => name !== "sre"),
  }));
  const left = await get("bob", "DB_USER");
  t.equal(left.code, 3);
  t.match(left.stderr, "UnknownSigner");
});
