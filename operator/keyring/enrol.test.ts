// Who may enrol: judged on real tokens by a real API server, and on what a lying or slow one would answer.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { type ControlPlane, startControlPlane } from "../../hack/control-plane/control-plane.js";
import { createOperatorPod } from "../../hack/control-plane/operator-pod.js";
import { eventually } from "../../hack/eventually.js";
import { connect, connectTo } from "../kube/client.js";
import { answer, scriptedServer } from "../kube/scripted-server.js";
import { MAX_SHARDS } from "../kube/shards.plan.js";
import { type Answer, answered, FAR, GOOD, isWorkload, LOOPBACK, outcome, REMOTE, RULES } from "./enrol.case.js";
import { ENROLMENT_SECONDS, Enrolments, MAX_PODS } from "./enrol.js";

const [ONE, TWO, THREE] = [newSigningKey().verifyKey, newSigningKey().verifyKey, newSigningKey().verifyKey];
/** The good answer, of another pod. */
function goodOf(uid: string): Answer {
  return { ...GOOD, user: { ...GOOD.user, extra: { "authentication.kubernetes.io/pod-uid": [uid] } } };
}

const REFUSED: Record<string, Answer> = {
  "nothing at all": {},
  "that it is not authenticated": { ...GOOD, authenticated: false },
  "no audience": { authenticated: true, user: GOOD.user ?? {} },
  "another audience": { ...GOOD, audiences: ["https://kubernetes.default.svc"] },
  "another account": { ...GOOD, user: { ...GOOD.user, username: "system:serviceaccount:zopp-system:other" } },
  "an account of that name elsewhere": {
    ...GOOD,
    user: { ...GOOD.user, username: "system:serviceaccount:other:zopp" },
  },
  "a user who is no account": { ...GOOD, user: { ...GOOD.user, username: "zopp-system/zopp" } },
  "a token that is bound to no pod": { ...GOOD, user: { username: "system:serviceaccount:zopp-system:zopp" } },
  "a token of another pod": {
    ...GOOD,
    user: { ...GOOD.user, extra: { "authentication.kubernetes.io/pod-uid": ["pod-2", "pod-1"] } },
  },
};

const OTHER_POD = "a token of another pod";

for (const [what, status] of Object.entries(REFUSED)) {
  if (what === OTHER_POD) continue;
  t.test(`nor does anybody from afar, where the operator runs apart: ${what}`, async (t) => {
    const enrolments = await answered(t, status, undefined, REMOTE);
    t.match(await outcome(enrolments.judge(ONE, "secret-token", FAR)), /^EnrolmentRefused: /);
  });
}

for (const uid of [[], [""], undefined]) {
  t.test(
    `where the operator runs apart, a token bound to the pod ${JSON.stringify(uid)} is bound to none`,
    async (t) => {
      const extra: Record<string, string[]> = uid === undefined ? {} : { "authentication.kubernetes.io/pod-uid": uid };
      const enrolments = await answered(t, { ...GOOD, user: { ...GOOD.user, extra } }, undefined, REMOTE);
      t.match(await outcome(enrolments.judge(ONE, "t", FAR)), /^EnrolmentRefused: .*bound to a pod/);
    },
  );
}

for (const [what, status] of Object.entries(REFUSED)) {
  t.test(`nobody enrols when the review says ${what}`, async (t) => {
    const enrolments = await answered(t, status);
    t.match(await outcome(enrolments.judge(ONE, "secret-token", LOOPBACK)), /^EnrolmentRefused: /);
    t.notMatch(await outcome(enrolments.judge(ONE, "secret-token", LOOPBACK)), /secret-token/);
  });
}

for (const address of [undefined, "", "10.0.0.7", "::ffff:10.0.0.7", "128.0.0.1", "::2", "127.0.0.1.example"]) {
  t.test(`nobody enrols from the address ${String(address)}, whatever the token`, async (t) => {
    t.match(await outcome((await answered(t, GOOD)).judge(ONE, "t", address)), /^EnrolmentRefused: .*loopback/);
  });
}

for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
  t.test(`loopback is ${address} too`, async (t) => {
    t.equal(await outcome((await answered(t, GOOD)).judge(ONE, "t", address)), "admitted");
  });
}

function tokenEnding(atSeconds: number): string {
  return `e30.${Buffer.from(JSON.stringify({ exp: atSeconds })).toString("base64url")}.x`;
}

t.test(
  "an enrolment ends after an hour, or with its token, and a second key of the pod replaces the first",
  async (t) => {
    let now = new Date("2026-11-23T10:00:00Z");
    const enrolments = await answered(t, GOOD, () => now);
    const hour = await enrolments.judge(ONE, "opaque", LOOPBACK);
    t.equal(hour.until, now.getTime() + ENROLMENT_SECONDS * 1000);
    t.equal(enrolments.of(ONE), null, "judged is not admitted: the record comes between");
    enrolments.admit(hour);
    t.equal(enrolments.of(ONE)?.key, ONE);
    t.equal(enrolments.of(TWO), null);
    now = new Date("2026-11-23T10:59:59.999Z");
    t.equal(enrolments.of(ONE)?.key, ONE);
    now = new Date("2026-11-23T11:00:00Z");
    t.equal(enrolments.of(ONE), null, "the hour is over");
    const short = await enrolments.judge(TWO, tokenEnding(now.getTime() / 1000 + 60), LOOPBACK);
    t.equal(short.until, now.getTime() + 60_000);
    enrolments.admit(await enrolments.judge(ONE, "opaque", LOOPBACK));
    enrolments.admit(short);
    t.equal(enrolments.of(ONE), null, "replaced");
    t.equal(enrolments.of(TWO)?.key, TWO);
    const over = await enrolments.judge(THREE, tokenEnding(now.getTime() / 1000 - 5), LOOPBACK);
    enrolments.admit(over);
    t.equal(enrolments.of(THREE), null, "a token that has ended admits for no moment");
  },
);

t.test(
  "where the operator runs apart, each of its pods has one key, and the pod that ends first makes place",
  async (t) => {
    let now = new Date("2026-11-23T10:00:00Z");
    let pod = "pod-0";
    const server = await scriptedServer((_, response) =>
      answer(response, 201, { metadata: { name: "" }, status: goodOf(pod) }),
    );
    const client = connectTo(server.endpoint);
    t.teardown(async () => {
      await client.close();
      await server.down();
    });
    const enrolments = new Enrolments(client, REMOTE, () => now);
    const enrol = async (uid: string) => {
      pod = uid;
      now = new Date(now.getTime() + 1000);
      const key = newSigningKey().verifyKey;
      enrolments.admit(await enrolments.judge(key, "t", FAR));
      return key;
    };
    const keys = [];
    for (let at = 0; at < MAX_PODS; at++) keys.push(await enrol(`pod-${at}`));
    t.ok(keys.every((key) => enrolments.of(key) !== null));
    const again = await enrol("pod-0");
    t.strictSame(
      keys.map((key) => enrolments.of(key)?.podUid),
      [undefined, ...Array.from({ length: MAX_PODS - 1 }, (_, at) => `pod-${at + 1}`)],
      "the first key of the pod is replaced, and no other pod's",
    );
    const further = await enrol("pod-further");
    t.equal(enrolments.of(keys[1] ?? ONE), null, "the one that would have ended first");
    t.ok(enrolments.of(again) !== null && enrolments.of(further) !== null);
  },
);

t.test("there is room for as many operators as the chart allows, each replaced twice within the hour", async (t) => {
  t.ok(MAX_PODS >= 3 * MAX_SHARDS);
});

t.test("an enrolment is of a whole key: another one with the same kid is nobody", async (t) => {
  const enrolments = await answered(t, GOOD);
  enrolments.admit(await enrolments.judge(ONE, "t", LOOPBACK));
  t.equal(enrolments.of({ ...TWO, kid: ONE.kid }), null);
  t.equal(enrolments.of(ONE)?.actor, "system:serviceaccount:zopp-system:zopp");
});

t.test("an API server that does not answer refuses nobody for good", async (t) => {
  const server = await scriptedServer((_, response) => answer(response, 500, {}));
  const client = connectTo(server.endpoint);
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  const enrolments = new Enrolments(client, RULES, () => new Date());
  t.match(await outcome(enrolments.judge(ONE, "t", LOOPBACK)), /^ApiUnreachable: /);
});

async function createToken(cp: ControlPlane, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cp.kubectl(["create", "token", ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** What is judged otherwise where the operator runs apart. */
const FROM_AFAR: Record<string, RegExp> = {
  "the same account's for another pod": /^admitted$/,
  "one for no pod": /not bound to a pod/,
};

t.test("on a real API server", async (t) => {
  const cp = await startControlPlane();
  t.teardown(() => cp.stop());
  const pod = await createOperatorPod(cp, { namespace: "zopp-system", serviceAccount: "zopp", name: "zopp-0" });
  const twin = await createOperatorPod(cp, { namespace: "zopp-system", serviceAccount: "zopp", name: "zopp-1" });
  const other = await createOperatorPod(cp, { namespace: "zopp-system", serviceAccount: "other", name: "other-0" });
  const client = await connect({ file: cp.kubeconfig });
  t.teardown(() => client.close());
  const enrolments = new Enrolments(
    client,
    { account: "zopp-system/zopp", pod: { uid: pod.podUid }, isWorkload },
    () => new Date(),
  );
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", "zopp-0"];
  const good = await pod.token();
  const tokens: Record<string, [token: string, expected: RegExp]> = {
    "the operator's own": [good, /^admitted$/],
    "the same account's for another pod": [await twin.token(), /pod/],
    "another account's": [await other.token(), /not one of system:serviceaccount:zopp-system:zopp/],
    "one for no pod": [await createToken(cp, ["zopp", "-n", "zopp-system", "--audience", "zopp-keyring"]), /pod/],
    "one for the API server": [await createToken(cp, ["zopp", "-n", "zopp-system", ...bound]), /audience/],
    "one for another audience": [
      await createToken(cp, ["zopp", "-n", "zopp-system", "--audience", "vault", ...bound]),
      /audience/,
    ],
    "one with a flipped signature": [`${good.slice(0, -8)}AAAAAAAA`, /audience/],
    "an administrator's": [cp.token, /audience/],
    nothing: ["", /^EnrolmentRefused/],
  };
  for (const [what, [token, expected]] of Object.entries(tokens)) {
    t.match(await outcome(enrolments.judge(ONE, token, LOOPBACK)), expected, `the token is ${what}`);
  }
  const remote = new Enrolments(client, REMOTE, () => new Date());
  for (const [what, [token, expected]] of Object.entries(tokens)) {
    const wanted = FROM_AFAR[what] ?? expected;
    t.match(await outcome(remote.judge(ONE, token, FAR)), wanted, `from afar the token is ${what}`);
  }
  // the API server remembers for seconds which tokens were good: these ones it has not seen yet
  const unseen = await Promise.all(Array.from({ length: 20 }, () => pod.token()));
  await cp.kubectl(["delete", "pod", "zopp-0", "-n", "zopp-system", "--force", "--grace-period=0"]);
  const refused = async () => (await outcome(enrolments.judge(ONE, unseen.pop() ?? "", LOOPBACK))) !== "admitted";
  t.ok(await eventually(refused), "a token dies with its pod");
});
