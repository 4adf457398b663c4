// Pods of workloads that policy names: they enrol from anywhere, as workloads only, and take no place of the operator's.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { connectTo } from "../kube/client.js";
import { answer, scriptedServer } from "../kube/scripted-server.js";
import { type Answer, answered, FAR, GOOD, LOOPBACK, outcome, REMOTE, RULES } from "./enrol.case.js";
import { Enrolments, MAX_WORKLOADS } from "./enrol.js";

const [ONE, TWO] = [newSigningKey().verifyKey, newSigningKey().verifyKey];

/** The good answer, of a pod of another account. */
function workloadAnswer(account: string, uid = "pod-9"): Answer {
  const extra = {
    "authentication.kubernetes.io/pod-uid": [uid],
    "authentication.kubernetes.io/pod-name": ["api-7d9f"],
  };
  return { ...GOOD, user: { username: `system:serviceaccount:${account}`, extra } };
}

for (const [rules, where] of [
  [RULES, "beside the keyring"],
  [REMOTE, "apart"],
] as const) {
  t.test(
    `where the operator runs ${where}, a pod of a named workload enrols from afar, and as nothing else`,
    async (t) => {
      const enrolments = await answered(t, workloadAnswer("shop-prod:api"), undefined, rules);
      const enrolment = await enrolments.judge(ONE, "t", FAR);
      t.match(enrolment, { role: "workload", account: "shop-prod/api", pod: "api-7d9f", podUid: "pod-9" });
      enrolments.admit(enrolment);
      t.equal(enrolments.of(ONE)?.role, "workload");
    },
  );

  for (const account of ["shop-prod:worker", "shop:prod/api", "shop-prod/api", "shop-prod:api:x", ""]) {
    t.test(`where the operator runs ${where}, no pod of ${account || "nobody"} enrols`, async (t) => {
      const enrolments = await answered(t, workloadAnswer(account), undefined, rules);
      t.match(await outcome(enrolments.judge(ONE, "t", FAR)), /^EnrolmentRefused: .*nor of a workload/);
    });
  }
}

t.test("a workload's token that is bound to no pod enrols nobody", async (t) => {
  const enrolments = await answered(t, workloadAnswer("shop-prod:api", ""), undefined, REMOTE);
  t.match(await outcome(enrolments.judge(ONE, "t", FAR)), /^EnrolmentRefused: .*not bound to a pod/);
});

t.test("a token that is used again with another key takes the first key's place: the pod notices", async (t) => {
  const enrolments = await answered(t, workloadAnswer("shop-prod:api"));
  enrolments.admit(await enrolments.judge(ONE, "t", FAR));
  enrolments.admit(await enrolments.judge(TWO, "t", FAR));
  t.equal(enrolments.of(ONE), null);
  t.equal(enrolments.of(TWO)?.role, "workload");
});

t.test("however many workloads enrol, the operator keeps its place", async (t) => {
  let status = GOOD;
  const server = await scriptedServer((_, response) => answer(response, 201, { metadata: { name: "" }, status }));
  const client = connectTo(server.endpoint);
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  const enrolments = new Enrolments(client, RULES, () => new Date());
  const operator = await enrolments.judge(ONE, "t", LOOPBACK);
  enrolments.admit(operator);
  status = workloadAnswer("shop-prod:api");
  const workload = await enrolments.judge(TWO, "t", FAR);
  for (let at = 0; at <= MAX_WORKLOADS; at++)
    enrolments.admit({ ...workload, podUid: `pod-${at}`, until: workload.until + at });
  t.equal(enrolments.of(ONE)?.role, "operator");
});
