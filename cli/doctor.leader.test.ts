// What is said of a Lease, by what it holds. That it is found, on a real API server, is hack/e2e/doctor.slow.ts.
import t from "tap";
import type { Lease } from "../operator/kube/lease.plan.js";
import { electionsOf, leaderFindings } from "./doctor.leader.js";
import type { ZoppPod } from "./pods.js";

const NOW = new Date("2026-11-27T12:00:00Z");
const NAME = "zopp-system/zopp-operator";

const pod = (name: string, ...args: string[]): ZoppPod => ({
  metadata: { name, namespace: "zopp-system" },
  spec: { containers: [{ args }] },
});
const OPERATORS = { name: NAME, part: "operator" } as const;
const KEYRINGS = { name: "zopp-system/zopp-keyring", part: "keyring" } as const;
const keyring = (name: string): ZoppPod => ({
  metadata: { name, namespace: "zopp-system" },
  spec: { containers: [{ name: "keyring", args: ["serve", `--leader-elect=${KEYRINGS.name}`] }] },
});
const PODS = [pod("zopp-a", `--leader-elect=${NAME}`), pod("zopp-b", `--leader-elect=${NAME}`), pod("zopp-keyring-c")];

function lease(holderIdentity: string, renewedSecondsAgo: number): Lease {
  const renewTime = new Date(NOW.getTime() - renewedSecondsAgo * 1000).toISOString().replace("Z", "000Z");
  return { metadata: { name: "zopp-operator" }, spec: { holderIdentity, leaseDurationSeconds: 15, renewTime } };
}

function said(given: Lease | undefined, renewed = false): string {
  const [finding] = leaderFindings(OPERATORS, { lease: given, renewed }, PODS, NOW);
  return `${finding?.state}: ${finding?.message}`;
}

t.test("operators that elect nobody have no leader to look for", async (t) => {
  t.strictSame(electionsOf([pod("zopp-0", "--workers=48")]), []);
  t.strictSame(electionsOf(PODS), [OPERATORS]);
  const dividing = pod("zopp-d", `--leader-elect=${NAME}`, "--shards=3");
  t.strictSame(
    electionsOf([dividing]),
    [NAME, `${NAME}-1`, `${NAME}-2`].map((name) => ({ name, part: "operator" })),
    "where the work is divided, each part has a Lease",
  );
});

t.test("keyrings that elect have a Lease of their own, and the one that holds it serves", async (t) => {
  const pods = [...PODS, keyring("zopp-keyring-d"), keyring("zopp-keyring-e")];
  t.strictSame(electionsOf(pods), [OPERATORS, KEYRINGS]);
  const say = (given: Lease) => leaderFindings(KEYRINGS, { lease: given, renewed: false }, pods, NOW)[0]?.message;
  t.equal(say(lease("zopp-keyring-e_f81d", 3)), "the keyring in pod zopp-keyring-e serves");
  t.match(say(lease("", 3)), /^no keyring serves, so changes wait: nobody holds the lease/);
});

t.test("a keyring in its operator's pod has a Lease of its own as well", async (t) => {
  const both = (name: string): ZoppPod => ({
    metadata: { name, namespace: "zopp-system", labels: { "app.kubernetes.io/component": "operator" } },
    spec: {
      initContainers: [{ name: "keyring", args: ["serve", `--leader-elect=${KEYRINGS.name}`] }],
      containers: [{ name: "operator", args: [`--leader-elect=${NAME}`, "--keyring-elects=on"] }],
    },
  });
  const pods = [both("zopp-a"), both("zopp-b")];
  t.strictSame(electionsOf(pods), [KEYRINGS, OPERATORS]);
  const [nobody] = leaderFindings(KEYRINGS, { lease: undefined, renewed: false }, pods, NOW);
  t.match(nobody?.next, "--selector app.kubernetes.io/component=operator --container keyring", "and its log is there");
});

t.test("a lease that is held is told by the pod that leads", async (t) => {
  t.equal(said(lease("zopp-b_f81d", 3)), "ok: the operator in pod zopp-b leads");
  t.equal(said(lease("zopp-b_f81d", 90), true), "ok: the operator in pod zopp-b leads", "clocks may differ");
});

t.test("no lease, no holder, a lease that ran out, a holder that is gone: each in words", async (t) => {
  t.match(said(undefined), /^problem: no operator leads, .*the lease zopp-system\/zopp-operator is not there$/);
  t.match(said(lease("", 3)), /^problem: no operator leads, .*nobody holds the lease/);
  t.match(said(lease("zopp-a_f81d", 75)), /^problem: .*last held by zopp-a, ran out 60 s ago$/);
  t.match(said(lease("zopp-x_f81d", 75)), /^problem: .*last held by zopp-x, a pod that is gone, ran out 60 s ago$/);
  t.match(said(lease("zopp-x_f81d", 3)), /^warning: .*held by zopp-x, a pod that is gone: until it runs out/);
});

t.test("whatever is wrong comes with a next step", async (t) => {
  for (const each of [undefined, lease("", 3), lease("zopp-a_f81d", 75), lease("zopp-x_f81d", 3)])
    for (const { next } of leaderFindings(OPERATORS, { lease: each, renewed: false }, PODS, NOW)) t.match(next, /\S/);
});
