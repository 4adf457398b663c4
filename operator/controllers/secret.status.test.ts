import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../kube/conditions.js";
import { happenings } from "./secret.events.js";
import { HEALED_BY_CHANGE, nextStatus, type Outcome, sameStatus } from "./secret.status.js";

const WARNING_MS = 14 * 24 * 3600_000;
const at = (time: string) => ({ now: new Date(time), warningMs: WARNING_MS });
const NOW = at("2026-11-23T10:11:12Z");
const LATER = at("2026-11-24T00:00:00Z");

function bundle(generation = 1, expires?: string): ZoppSecret {
  const entry = {
    version: 1,
    by: "zk1",
    sealed: "",
    signature: "",
    to: "zk1e",
    ...(expires === undefined ? {} : { expires }),
  };
  const header = { version: 1, by: "zk1bob", signature: "" };
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { name: "api", namespace: "shop", uid: "u", generation },
    spec: { environment: "acme/shop/prod", header, data: { A: entry } },
  };
}

const synced = (digest = "d1", resourceVersion = "7"): Outcome => ({
  kind: "synced",
  digest,
  policy: ["w", "e"],
  target: { uid: "s", resourceVersion },
  entries: 1,
});
const refused = (code: ConstructorParameters<typeof ZoppError>[0], stage: "verify" | "sync" = "verify"): Outcome => ({
  kind: "refused",
  stage,
  error: new ZoppError(code, "bundle shop/api: no"),
  policy: ["w", "e"],
  digest: "bad",
});
const conditionsOf = (status: SecretStatus) =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));

t.test("a synced bundle says what it holds and where", async (t) => {
  const status = nextStatus(bundle(), undefined, synced(), NOW);
  t.match(status, { observedGeneration: 1, digest: "d1", policy: ["w", "e"], entries: 1 });
  t.strictSame(status.target, { name: "api", uid: "s", resourceVersion: "7" });
  t.strictSame(conditionsOf(status), { Ready: "True Synced", Verified: "True Verified", Synced: "True Synced" });
  t.match(status.history, [{ result: "Synced", digest: "d1", time: "2026-11-23T10:11:12Z" }]);
});

t.test("the same outcome later writes nothing", async (t) => {
  const first = nextStatus(bundle(), undefined, synced(), NOW);
  const copy = JSON.parse(JSON.stringify(first)) as SecretStatus;
  t.ok(sameStatus(copy, nextStatus(bundle(), copy, synced(), LATER)));
  t.ok(sameStatus(copy, nextStatus(bundle(), copy, { kind: "rested" }, LATER)));
  t.notOk(sameStatus(undefined, first), "but a first status is written");
  t.notOk(sameStatus(copy, nextStatus(bundle(2), copy, { kind: "rested" }, LATER)), "and so is a new generation");
  t.notOk(sameStatus(copy, nextStatus(bundle(), copy, synced("d1", "8"), LATER)), "and a rewritten Secret");
});

t.test("a refusal keeps what it says of the last good Secret", async (t) => {
  const good = nextStatus(bundle(), undefined, synced(), NOW);
  const bad = nextStatus(bundle(2), good, refused("UnknownSigner"), LATER);
  t.match(bad, { observedGeneration: 2, digest: "d1", target: good.target, entries: 1 });
  t.strictSame(conditionsOf(bad), {
    Ready: "False UnknownSigner",
    Verified: "False UnknownSigner",
    Synced: "False UnknownSigner",
    Stalled: "True UnknownSigner",
  });
  const message = bad.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
  t.match(message, /bundle shop\/api: no; next: have somebody whom the policy names sign it/);
  t.match(bad.history, [{ result: "UnknownSigner" }, { result: "Synced" }]);
  t.ok(sameStatus(bad, nextStatus(bundle(2), bad, refused("UnknownSigner"), LATER)), "and is written once");
});

t.test("a Secret that cannot be written leaves open whether the bundle is right", async (t) => {
  const status = nextStatus(bundle(), undefined, refused("TargetConflict", "sync"), NOW);
  t.match(conditionsOf(status), { Ready: "False TargetConflict", Verified: "Unknown TargetConflict" });
  t.equal(status.target, undefined);
});

t.test("what passes by itself reconciles, what waits for people stalls", async (t) => {
  t.match(conditionsOf(nextStatus(bundle(), undefined, refused("KeyringUnavailable"), NOW)), {
    Verified: "Unknown KeyringUnavailable",
    Reconciling: "True KeyringUnavailable",
  });
  t.match(conditionsOf(nextStatus(bundle(), undefined, refused("NoPolicy"), NOW)), { Stalled: "True NoPolicy" });
  const pending = conditionsOf(nextStatus(bundle(), undefined, refused("PendingApproval"), NOW));
  t.match(pending, { PendingApproval: "True PendingApproval", Reconciling: "True PendingApproval" });
  t.notOk("Stalled" in pending);
});

t.test("what the operator's own set-up breaks is not left to the bundle", async (t) => {
  for (const code of [
    "EnrolmentRefused",
    "KeyringMismatch",
    "KeyringUnavailable",
    "TargetDenied",
    "RotationDisabled",
  ] as const) {
    t.notOk(HEALED_BY_CHANGE.has(code), code);
  }
  for (const code of ["SignatureInvalid", "PendingApproval", "NoPolicy", "Malformed", "TargetConflict"] as const) {
    t.ok(HEALED_BY_CHANGE.has(code), code);
  }
});

const rotating = (code: "RotationPending" | "RotationFailed", serves: boolean): Outcome => ({
  kind: "rotating",
  error: new ZoppError(code, "bundle shop/api: the Job api-rotate-1 runs"),
  policy: ["w", "e"],
  serves,
});

t.test(
  "while new values wait for their job, the Secret of before serves, and what is waited for is said",
  async (t) => {
    const good = nextStatus(bundle(), undefined, synced(), NOW);
    const pending = nextStatus(bundle(2), good, rotating("RotationPending", true), LATER);
    t.match(conditionsOf(pending), {
      Ready: "True Synced",
      Verified: "True Verified",
      Synced: "True Synced",
      RotationPending: "True RotationPending",
    });
    t.match(pending, { observedGeneration: 2, digest: "d1", target: good.target, entries: 1 });
    t.ok(sameStatus(pending, nextStatus(bundle(2), pending, rotating("RotationPending", true), LATER)), "once");
    const failed = nextStatus(bundle(2), pending, rotating("RotationFailed", true), LATER);
    t.match(conditionsOf(failed), { Ready: "True Synced", RotationPending: "True RotationFailed" });
    t.match(
      failed.conditions?.find(({ type }) => type === "RotationPending")?.message,
      /Job api-rotate-1.*kubectl delete job/,
    );
    t.strictSame(failed.history, good.history);
    t.notOk("RotationPending" in conditionsOf(nextStatus(bundle(2), failed, synced("d2"), LATER)), "until it is over");
  },
);

t.test("without a Secret that serves, what waits for its job is not ready", async (t) => {
  const first = nextStatus(bundle(), undefined, rotating("RotationPending", false), NOW);
  t.strictSame(conditionsOf(first), {
    Ready: "False RotationPending",
    Verified: "Unknown RotationPending",
    Synced: "False RotationPending",
    Reconciling: "True RotationPending",
    RotationPending: "True RotationPending",
  });
});

t.test("history keeps the newest five and does not repeat itself", async (t) => {
  let status = nextStatus(bundle(), undefined, synced("d0"), NOW);
  for (let n = 1; n <= 6; n += 1) status = nextStatus(bundle(n), status, synced(`d${n}`), NOW);
  status = nextStatus(bundle(6), status, synced("d6", "99"), NOW);
  t.strictSame(
    status.history?.map(({ digest }) => digest),
    ["d6", "d5", "d4", "d3", "d2"],
  );
});

t.test("what is said of values that end, and the first end, are in the status; Ready stays", async (t) => {
  const status = nextStatus(bundle(1, "2026-12-07T10:11:12Z"), undefined, synced(), NOW);
  t.match(conditionsOf(status), { Ready: "True Synced", Expiring: "True ExpiresSoon" });
  t.strictSame(status.expiring, [{ key: "A", expires: "2026-12-07T10:11:12Z", reason: "ExpiresSoon" }]);
  const ended = nextStatus(bundle(1, "2026-11-23T10:11:12Z"), status, synced(), NOW);
  t.match(conditionsOf(ended), { Ready: "True Synced", Synced: "True Synced", Expiring: "True Expired" });
  const far = nextStatus(bundle(1, "2026-12-08T10:11:12Z"), undefined, synced(), NOW);
  t.equal(far.expires, "2026-12-08T10:11:12Z");
  t.notOk("Expiring" in conditionsOf(far) || "expiring" in far);
});

t.test("a rested bundle loses the announcement when the value was renewed", async (t) => {
  const before = nextStatus(bundle(1, "2026-11-24T00:00:00Z"), undefined, synced(), NOW);
  t.ok("Expiring" in conditionsOf(before));
  const after = nextStatus(bundle(2), before, { kind: "rested" }, NOW);
  t.notOk("Expiring" in conditionsOf(after) || "expiring" in after || "expires" in after);
});

t.test("a rested bundle says that a stage has come, and says it once", async (t) => {
  const ends = bundle(1, "2026-12-08T10:11:12Z");
  const before = nextStatus(ends, undefined, synced(), NOW);
  const rested: Outcome = { kind: "rested" };
  const after = nextStatus(ends, before, rested, at("2026-11-24T10:11:12Z"));
  t.strictSame(
    happenings(before, after, rested, []).map(({ reason }) => reason),
    ["ExpiresSoon"],
  );
  const again = nextStatus(ends, after, rested, at("2026-11-30T00:00:00Z"));
  t.ok(sameStatus(after, again), "nothing is written until the next stage");
  t.strictSame(happenings(after, again, rested, []), []);
});

t.test("a bundle that is served while new values wait for their job is spoken of as it is", async (t) => {
  const ends = bundle(1, "2026-12-08T10:11:12Z");
  const before = nextStatus(ends, undefined, synced(), NOW);
  const error = new ZoppError("RotationFailed", "the Job has failed");
  const waits: Outcome = { kind: "rotating", error, policy: [], serves: true };
  const after = nextStatus(ends, before, waits, at("2026-11-24T10:11:12Z"));
  t.match(conditionsOf(after), { Ready: "True Synced", Expiring: "True ExpiresSoon" });
});

t.test("what a refused bundle says of ends is not believed: what it held before is spoken of", async (t) => {
  const before = nextStatus(bundle(1, "2026-11-24T00:00:00Z"), undefined, synced(), NOW);
  for (const claimed of [undefined, "2099-01-01T00:00:00Z"]) {
    const refusedThen = nextStatus(bundle(2, claimed), before, refused("SignatureInvalid"), NOW);
    t.match(conditionsOf(refusedThen), { Ready: "False SignatureInvalid", Expiring: "True ExpiresWithinADay" });
    t.equal(refusedThen.expires, "2026-11-24T00:00:00Z");
    const later = nextStatus(bundle(2, claimed), refusedThen, refused("SignatureInvalid"), LATER);
    t.match(conditionsOf(later), { Expiring: "True Expired" }, "and goes on");
    const rested = nextStatus(bundle(2, claimed), refusedThen, { kind: "rested" }, LATER);
    t.match(conditionsOf(rested), { Ready: "False SignatureInvalid", Expiring: "True Expired" }, "also where it rests");
    t.equal(rested.expires, "2026-11-24T00:00:00Z");
  }
  const never = nextStatus(bundle(1, "2026-11-24T00:00:00Z"), undefined, refused("SignatureInvalid"), NOW);
  t.notOk("Expiring" in conditionsOf(never) || "expires" in never, "a bundle that never was applied announces nothing");
});

t.test("events tell transitions only", async (t) => {
  const first = nextStatus(bundle(), undefined, synced(), NOW);
  const reasons = (
    previous: SecretStatus | undefined,
    outcome: Outcome,
    generation = 2,
    warnings: readonly string[] = [],
  ) =>
    happenings(previous, nextStatus(bundle(generation), previous, outcome, NOW), outcome, warnings).map(
      ({ reason }) => reason,
    );
  t.strictSame(reasons(undefined, synced()), [], "a first sync is silent");
  t.strictSame(reasons(first, { kind: "rested" }), []);
  t.strictSame(reasons(first, synced()), [], "the same Secret again is silent");
  t.strictSame(reasons(first, synced("d2", "8")), ["Updated"]);
  t.strictSame(reasons(first, synced("d1", "8")), ["Repaired"]);
  t.strictSame(reasons(first, synced("d1"), 2, ["went back"]), ["Accepted"], "a warning is told");
  const bad = nextStatus(bundle(2), first, refused("UnknownSigner"), NOW);
  t.equal(readyOf(bad)?.reason, "UnknownSigner");
  t.strictSame(reasons(first, refused("UnknownSigner")), ["UnknownSigner"]);
  t.strictSame(reasons(bad, refused("UnknownSigner")), [], "a repeated refusal is silent");
  t.strictSame(reasons(bad, refused("UnknownSigner"), 3), ["UnknownSigner"], "of other content it is news");
  t.strictSame(reasons(bad, synced()), ["Recovered"]);
  const pending = nextStatus(bundle(2), first, rotating("RotationPending", true), NOW);
  t.strictSame(reasons(first, rotating("RotationPending", true)), ["RotationPending"]);
  t.strictSame(reasons(pending, rotating("RotationPending", true)), [], "the same Job is spoken of once");
  t.strictSame(reasons(pending, rotating("RotationFailed", true)), ["RotationFailed"]);
});
