// When new values wait for a Job, what becomes of one, and what it and its Secret look like.
import t from "tap";
import { ruleHash } from "../../crds/bundle/generated.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { apiError } from "../kube/errors.js";
import { valuesDigest } from "./generate.plan.js";
import { bundle, FIRST, IMAGE, SECOND, USER_RULE } from "./rotation.case.js";
import {
  hinderedBy,
  isComplete,
  isDisplacing,
  isOver,
  type JobObject,
  type JobState,
  jobObject,
  jobPlace,
  jobSecret,
  lookAgainMs,
  needsJob,
  stateOf,
  waitsFor,
} from "./rotation.plan.js";

const applied = (values: typeof FIRST): Partial<SecretStatus> => ({ applied: valuesDigest(bundle(), values) });

const owned = {
  ownerReferences: [
    { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", name: "db", uid: "bundle-uid", controller: true },
  ],
};
const is = (type: string, status = "True") => ({ conditions: [{ type, status }] });

const STATES: Record<
  string,
  { job: (Omit<JobObject, "metadata"> & { metadata?: object }) | undefined; want: JobState }
> = {
  "no Job is absent": { job: undefined, want: "absent" },
  "one that was made and may not start yet is suspended": { job: { spec: { suspend: true } }, want: "suspended" },
  "one that may start runs": { job: { spec: { suspend: false } }, want: "running" },
  "one whose pods have not all ended runs": { job: { status: is("SuccessCriteriaMet") }, want: "running" },
  "one that is about to fail runs": { job: { status: is("FailureTarget") }, want: "running" },
  "one that is complete has succeeded": { job: { status: is("Complete") }, want: "succeeded" },
  "a condition that does not hold says nothing": { job: { status: is("Complete", "False") }, want: "running" },
  "one that has failed has failed": { job: { status: is("Failed") }, want: "failed" },
  "a suspended one that goes is waited for, and not started": {
    job: { spec: { suspend: true }, metadata: { deletionTimestamp: "2026-11-23T10:11:12Z" } },
    want: "running",
  },
  "a complete one without an owner is foreign": {
    job: { status: is("Complete"), metadata: { ownerReferences: [] } },
    want: "foreign",
  },
  "a complete one of another bundle, or of one of this name that was there before, is foreign": {
    job: { status: is("Complete"), metadata: { ownerReferences: [{ ...owned.ownerReferences[0], uid: "other" }] } },
    want: "foreign",
  },
  "a complete one that names the bundle, but not as its controller, is foreign": {
    job: {
      status: is("Complete"),
      metadata: { ownerReferences: [{ ...owned.ownerReferences[0], controller: false }] },
    },
    want: "foreign",
  },
};

for (const [title, { job, want }] of Object.entries(STATES)) {
  t.test(title, async (t) => {
    const found = job && ({ ...job, metadata: { name: "j", ...owned, ...job.metadata } } as JobObject);
    t.equal(stateOf(found, bundle()), want);
  });
}

t.test("values wait for a Job where the bundle has one and the Secret does not hold them", async (t) => {
  t.ok(needsJob(bundle(), undefined, FIRST));
  t.ok(needsJob(bundle(), applied(FIRST), SECOND));
  t.notOk(needsJob(bundle(), applied(FIRST), FIRST), "another entry has changed, or the Secret was tampered with");
  const { rotation: _, ...spec } = bundle().spec;
  t.notOk(needsJob({ ...bundle(), spec }, applied(FIRST), SECOND), "the rotation was taken away");
});

t.test("values are complete when each rule has one of its own", async (t) => {
  t.ok(isComplete(bundle(), SECOND));
  t.notOk(isComplete(bundle(), undefined));
  t.notOk(isComplete(bundle(), { USER: SECOND.USER }), "a rule was added");
  const stale = { ...SECOND, USER: { ...SECOND.USER, rule: ruleHash({ ...USER_RULE, version: 2 }) } };
  t.notOk(isComplete(bundle(), stale), "another value was asked for");
});

t.test("a Job that may still change something is waited for", async (t) => {
  const states: JobState[] = ["absent", "foreign", "suspended", "unequipped", "running", "failed", "succeeded"];
  t.strictSame(
    states.filter((state) => !isOver(state)),
    ["suspended", "running"],
  );
});

t.test("only a value that is made in the place of another one has to wait for a Job that is at work", async (t) => {
  t.notOk(isDisplacing(bundle(), { USER: SECOND.USER }), "a rule was added");
  const stale = { ...SECOND, USER: { ...SECOND.USER, rule: ruleHash({ ...USER_RULE, version: 2 }) } };
  t.ok(isDisplacing(bundle(), stale), "another value was asked for");
});

t.test("the Job's name tells template and values apart, and fits a label", async (t) => {
  const name = (of: ZoppSecret, values = FIRST) => jobPlace(of, values).name;
  t.match(name(bundle()), /^db-rotate-[0-9a-f]{10}$/);
  t.equal(name(bundle()), name(bundle({ keys: ["ADMIN"], image: IMAGE })), "whatever the order of the fields");
  t.not(name(bundle()), name(bundle(), SECOND));
  t.not(name(bundle()), name(bundle({ image: "other" })));
  const long = { ...bundle(), metadata: { ...bundle().metadata, name: `${"a".repeat(44)}.${"b".repeat(200)}` } };
  t.match(name(long), /^a{44}-rotate-[0-9a-f]{10}$/);
});

interface Made {
  readonly metadata: Record<string, unknown>;
  readonly spec: Record<string, unknown> & {
    template: {
      spec: Record<string, unknown> & {
        containers: Record<string, unknown>[];
        volumes: { secret?: { items: { key: string; path: string }[] } }[];
      };
    };
  };
}
const made = (of: ZoppSecret, values: typeof FIRST) => jobObject(of, values) as unknown as Made;
const files = (job: Made) => job.spec.template.spec.volumes[0]?.secret?.items.map(({ path }) => path);

t.test(
  "the Job sees the present value of every key, and of every rule the value before, where there was one",
  async (t) => {
    const now = ["new/ADMIN", "new/HOST", "new/PASSWORD", "new/PASSWORD_OLD", "new/USER", "new/USER_OLD"];
    t.strictSame(files(made(bundle(), FIRST)), now);
    t.strictSame(files(made(bundle(), SECOND)), [...now, "old/PASSWORD", "old/USER"]);
  },
);

t.test("the Job waits for its Secret, has an end, and goes with its bundle", async (t) => {
  const { metadata, spec } = made(bundle(), FIRST);
  t.match(metadata, { namespace: "shop", ...owned });
  t.match(spec, { suspend: true, backoffLimit: 3, activeDeadlineSeconds: 600, ttlSecondsAfterFinished: 600 });
  t.equal(made(bundle({ image: IMAGE, deadline: "1h" }), FIRST).spec["activeDeadlineSeconds"], 3600);
});

t.test("the container is nobody, without an account, and runs what was signed", async (t) => {
  const { containers, ...pod } = made(bundle({ image: IMAGE, command: ["/bin/rotate", "x"] }), FIRST).spec.template
    .spec;
  t.match(pod, {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      fsGroup: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    },
  });
  t.notOk("serviceAccountName" in pod);
  t.match(containers, [
    {
      image: IMAGE,
      command: ["/bin/rotate", "x"],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
      volumeMounts: [{ mountPath: "/zopp", readOnly: true }, { mountPath: "/tmp" }],
    },
  ]);
  t.notOk("env" in (containers[0] ?? {}));
  t.notOk(
    "command" in (made(bundle(), FIRST).spec.template.spec.containers[0] ?? {}),
    "else the image's own entry point",
  );
});

t.test("its Secret holds what it mounts, goes with it, and is not one of those that the operator keeps", async (t) => {
  const plain = new Map(
    Object.entries({ ADMIN: "a", HOST: "h", USER: "u2", USER_OLD: "u1", PASSWORD: "p2", PASSWORD_OLD: "p1" }).map(
      ([key, text]) => [key, utf8(text)],
    ),
  );
  const job = { ...jobPlace(bundle(), SECOND), uid: "job-uid" };
  const secret = jobSecret(bundle(), SECOND, job, plain);
  t.match(secret, {
    immutable: true,
    metadata: { ...jobPlace(bundle(), SECOND), labels: { "zopp.dev/rotation": "job" } },
  });
  t.strictSame(Object.keys(secret.metadata.labels ?? {}), ["zopp.dev/rotation"]);
  t.match(secret.metadata.ownerReferences, [{ apiVersion: "batch/v1", kind: "Job", uid: "job-uid", controller: true }]);
  const texts = Object.entries(secret.data).map(([key, data]) => [key, Buffer.from(data, "base64").toString()]);
  t.strictSame(Object.fromEntries(texts), {
    "new.ADMIN": "a",
    "new.HOST": "h",
    "new.USER": "u2",
    "new.USER_OLD": "u1",
    "new.PASSWORD": "p2",
    "new.PASSWORD_OLD": "p1",
    "old.USER": "u1",
    "old.PASSWORD": "p1",
  });
});

t.test("what is waited for is said by its name", async (t) => {
  const at = "2026-11-23T10:11:12Z";
  t.match(waitsFor(bundle(), "j", "running", at), {
    code: "RotationPending",
    message: /bundle shop\/db: .*the Job j, made at 2026-11-23T10:11:12Z/,
  });
  t.match(waitsFor(bundle(), "j", "occupied"), { code: "RotationFailed", message: /is not made: there is a Secret j/ });
  t.match(waitsFor(bundle(), "j", "occupied", at), { code: "RotationFailed", message: /is not started: there is/ });
  t.match(waitsFor(bundle(), "j", "unequipped", at), { code: "RotationFailed", message: /is not started/ });
  t.match(waitsFor(bundle(), "j", "failed", at), { code: "RotationFailed", message: /the Job j, .*, has failed/ });
  t.match(waitsFor(bundle(), "j", "unequipped", at), { code: "RotationFailed", message: /is not started/ });
  t.match(waitsFor(bundle(), "j", "disabled"), { code: "RotationDisabled", message: /this operator runs none/ });
  t.match(waitsFor(bundle(), "j", "foreign", at), {
    code: "RotationFailed",
    message: /not this bundle's, and is not believed/,
  });
});

t.test("only a Job that runs is looked at often: for all else somebody has to do something first", async (t) => {
  const often = lookAgainMs(waitsFor(bundle(), "j", "running"));
  for (const state of ["failed", "occupied", "foreign", "unequipped", "disabled"] as const)
    t.ok(lookAgainMs(waitsFor(bundle(), "j", state)) > 10 * often, state);
});

t.test("what the API server says of Jobs is told, and is no refusal of the bundle", async (t) => {
  const told = (status: number, reason: string) =>
    hinderedBy(bundle(), apiError("create jobs.batch shop/j", status, { reason }));
  t.match(told(403, "Forbidden"), {
    code: "RotationFailed",
    message: /cannot create jobs.batch shop\/j: .* 403 Forbidden/,
  });
  t.match(told(422, "Invalid"), { code: "RotationFailed" });
  t.match(told(500, "InternalError"), { code: "RotationPending", message: /bundle shop\/db: .* 500 InternalError/ });
  t.match(told(429, "TooManyRequests"), { code: "RotationPending" });
  t.throws(() => hinderedBy(bundle(), new ZoppError("CannotOpen", "of another kind")), { code: "CannotOpen" });
});
