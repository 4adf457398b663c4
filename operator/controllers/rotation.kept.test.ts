// What the Secret holds, and whether it serves, while new values wait for their Job.
import t from "tap";
import { targetKeys } from "../../crds/bundle/target.js";
import type { SecretStatus } from "../../crds/types.gen.js";
import { DIGEST, ours, bundle as plainBundle, situation, status } from "../../hack/situations.js";
import { bundle, SECOND, USER_RULE } from "./rotation.case.js";
import { isPublished, isServing, keptOf } from "./rotation.kept.js";
import { isLastTarget } from "./secret.plan.js";

t.test("a Job has done its work when the Secret holds every value", async (t) => {
  t.ok(isPublished({ published: { USER: 2, PASSWORD: 2 }, generated: SECOND }));
  t.notOk(isPublished({ published: { USER: 2, PASSWORD: 1 }, generated: SECOND }));
  t.notOk(isPublished({ generated: SECOND }), "nobody knows what the Secret has");
});

const published = (USER: number, PASSWORD: number) => ({ published: { USER, PASSWORD } });
/** The keys of the Secret while `SECOND` waits, with `-` where it is the value before; or why it is left alone. */
function keptKeys(
  status: Partial<SecretStatus>,
  of = bundle(),
  target: Parameters<typeof keptOf>[0]["target"] = "absent",
) {
  const kept = keptOf({ bundle: of, status, target }, SECOND);
  if (kept === undefined) return "left alone";
  return targetKeys(kept.bundle).map((key) => (kept.held.has(key) ? `${key}-` : key));
}

t.test("while new values wait, the Secret has those before, as long as they are known", async (t) => {
  t.strictSame(keptKeys(published(1, 1)), ["HOST", "PASSWORD-", "PASSWORD_OLD", "USER-", "USER_OLD"]);
  t.strictSame(keptKeys(published(2, 1)), ["HOST", "PASSWORD-", "PASSWORD_OLD", "USER", "USER_OLD"], "not rotated");
  t.strictSame(keptKeys(published(2, 2)), ["HOST", "PASSWORD", "PASSWORD_OLD", "USER", "USER_OLD"]);
  t.equal(keptKeys(published(1, 0)), "left alone", "one that is two back is nowhere but in the Secret");
  t.equal(keptKeys({}), "left alone", "nothing was published yet");
});

t.test("a value before that another rule made is not taken apart by the present one", async (t) => {
  const pair = { version: 2, kind: "ecdsa", curve: "P-256", public: "USER_PUB", previous: "USER_OLD" } as const;
  const { USER, PASSWORD } = SECOND;
  const made = (rule: string) => ({ USER: { ...USER, rule }, PASSWORD });
  const given = { bundle: bundle(), status: published(1, 1), target: "absent" } as const;
  const spec = { ...given.bundle.spec, generate: { ...given.bundle.spec.generate, USER: pair } };
  const changed = { ...given, bundle: { ...given.bundle, spec } };
  t.ok(keptOf(given, made("another")), "one that stands alone is what it was");
  t.notOk(keptOf(changed, made("another")));
  t.ok(keptOf(changed, made(USER.rule)));
});

t.test("it has nothing of a rule that was added, as long as it can be made without", async (t) => {
  const added: Partial<SecretStatus> = { published: { USER: 1 } };
  const rendering = (render: Record<string, string>) => ({ ...bundle(), spec: { ...bundle().spec, render } });
  const has = (...keys: string[]) => ours({ writers: { ours: keys } });
  t.strictSame(keptKeys(added), ["HOST", "USER-", "USER_OLD"]);
  t.strictSame(keptKeys(added, bundle(), has("HOST", "USER", "USER_OLD")), ["HOST", "USER-", "USER_OLD"]);
  t.equal(keptKeys(added, bundle(), has("HOST", "PASSWORD")), "left alone", "the key was a sealed one before");
  t.strictSame(keptKeys(added, rendering({ ALL: "[[ * | json ]]" })), ["ALL", "HOST", "USER-", "USER_OLD"]);
  t.equal(keptKeys(added, rendering({ URL: "[[ USER ]]:[[ PASSWORD ]]" })), "left alone", "a template needs it");
});

t.test("the Secret serves as long as all but the new values is in it, by our writing and nobody else's", async (t) => {
  const written = status("True", "Synced", { entries: 2, digest: DIGEST });
  const serves = (target: Parameters<typeof isServing>[0]["target"], changes: Partial<SecretStatus> = {}) =>
    isServing(situation({ status: { ...written, ...changes }, target }));
  t.ok(serves(ours()));
  t.ok(serves(ours({ metadata: { resourceVersion: "101" } })), "somebody has labelled it");
  t.notOk(serves(ours(), { digest: "other" }), "the bundle has changed since");
  t.notOk(serves(ours({ writers: { ours: ["A"] } })));
  t.notOk(serves(ours({ writers: { others: ["C"] } })));
  t.notOk(serves(ours({ metadata: { uid: "u2" } })));
  t.notOk(serves("absent"));
  const generate = { NEW: USER_RULE };
  const adding = (published?: SecretStatus["published"]) =>
    isServing({
      ...situation({ status: { ...written, published }, target: ours() }),
      bundle: { ...plainBundle(), spec: { ...plainBundle().spec, generate } },
    });
  t.ok(adding({}), "a rule was added, and has nothing in it yet");
  t.notOk(adding({ NEW: 1 }), "somebody has taken its key away");
  t.ok(isLastTarget({ status: written, target: ours() }));
  t.notOk(isLastTarget({ status: written, target: ours({ metadata: { resourceVersion: "101" } }) }));
});
