import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  KEY,
  PLACE,
  POLICY,
  reasons,
  refuse,
  release,
  type Setup,
  setup,
  WORLD,
  WRITING,
} from "../../hack/bundle-story.js";
import { bundle, withTombstone, withValue } from "../../hack/fixtures.js";
import { apiError } from "../kube/errors.js";
import { FIELD_MANAGER } from "../kube/resources.js";

t.test("a new bundle becomes a Secret: one opening, one write that only creates, one status", async (t) => {
  const { run, calls, writes, status, events, released, memory } = setup();
  const answer = await run();
  t.strictSame(calls, ["open", "apply secrets", "apply zoppsecrets/status"]);
  const [write] = writes;
  t.equal(write?.object.metadata.resourceVersion, "1", "which no Secret can have");
  t.strictSame(write?.object.data, { A: btoa("alpha"), B: btoa("beta") });
  t.match(write?.options, { fieldManager: FIELD_MANAGER, force: false, metadataOnly: true });
  t.match(write?.object, {
    type: "Opaque",
    metadata: {
      ...PLACE,
      labels: { "zopp.dev/managed": "whole", "app.kubernetes.io/managed-by": "zopp" },
      annotations: { "zopp.dev/bundle": "api" },
      ownerReferences: [{ kind: "ZoppSecret", name: "api", uid: "bundle-uid", controller: true }],
    },
  });
  t.match(reasons(status()), { Ready: "True Synced", Verified: "True Verified", Synced: "True Synced" });
  t.match(status(), { target: { name: "api", uid: "secret-uid", resourceVersion: "101" }, entries: 2, policy: POLICY });
  t.strictSame(events, []);
  t.equal(released.length, 2);
  t.ok(
    released.every((key) => key.every((byte) => byte === 0)),
    "entry keys are overwritten",
  );
  t.equal(answer?.requeueAfterMs, memory.retryInMs(KEY));
});

t.test("a second thought does nothing", async (t) => {
  const { run, calls } = setup();
  await run();
  calls.length = 0;
  await run();
  t.strictSame(calls, []);
});

t.test("a state is told once, when the Secret holds it; repairs, refusals and second thoughts are none", async (t) => {
  const options: { open?: Setup["open"] } = {};
  const { run, edit, bundles, states, status, memory } = setup({
    open: (request) => options.open?.(request) ?? release(request, []),
  });
  await run();
  memory.demand(KEY);
  await run();
  t.strictSame(states, [status()?.digest]);
  const good = bundles.get(KEY) as ZoppSecret;
  options.open = refuse("UnknownSigner");
  edit(withValue(good, "A", "evil", WRITING));
  await run();
  t.equal(states.length, 1);
  options.open = undefined;
  edit(withValue(good, "A", "other", WRITING));
  await run();
  t.strictSame(states.slice(1), [status()?.digest]);
});

t.test("a changed value is opened and written over ours, by uid", async (t) => {
  const { run, edit, calls, writes, events, bundles } = setup();
  await run();
  calls.length = 0;
  edit(withValue(bundles.get(KEY) as ZoppSecret, "A", "other", WRITING));
  await run();
  t.strictSame(calls, ["open", "apply secrets", "apply zoppsecrets/status"]);
  t.strictSame(writes[1]?.object.data, { A: btoa("other"), B: btoa("beta") });
  t.match(writes[1], { object: { metadata: { uid: "secret-uid", resourceVersion: "101" } }, options: { force: true } });
  t.strictSame(events, ["Updated"]);
});

t.test("a tombstone takes the key out of the Secret", async (t) => {
  const { run, edit, writes, bundles, status } = setup();
  await run();
  edit(withTombstone(bundles.get(KEY) as ZoppSecret, "A", WRITING));
  await run();
  t.strictSame(writes[1]?.object.data, { B: btoa("beta") });
  t.equal(status()?.entries, 1);
});

t.test("templates are rendered beside the values", async (t) => {
  const render = { URL: "x://[[ A | urlencode ]]@[[ B ]]" };
  const { run, writes, status } = setup({ bundle: bundle(WORLD.environment, { A: "al/pha", B: "beta" }, { render }) });
  await run();
  t.strictSame(writes[0]?.object.data, { A: btoa("al/pha"), B: btoa("beta"), URL: btoa("x://al%2Fpha@beta") });
  t.equal(status()?.entries, 3);
});

t.test("a refusal leaves the Secret alone, is said once, and heals", async (t) => {
  const options: { open?: Setup["open"] } = {};
  const { run, edit, calls, status, events, bundles } = setup({
    open: (request) => options.open?.(request) ?? release(request, []),
  });
  await run();
  const good = bundles.get(KEY) as ZoppSecret;
  calls.length = 0;
  options.open = refuse("UnknownSigner");
  edit(withValue(good, "A", "evil", WRITING));
  await run();
  await run();
  t.strictSame(calls, ["open", "apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False UnknownSigner", Stalled: "True UnknownSigner" });
  t.match(status()?.target, { uid: "secret-uid" });
  options.open = undefined;
  edit(good);
  await run();
  t.match(reasons(status()), { Ready: "True Synced" });
  t.notOk("Stalled" in reasons(status()));
  t.strictSame(events, ["UnknownSigner", "Recovered"]);
});

t.test("a value that does not open is refused whole, and keys are overwritten all the same", async (t) => {
  const { run, calls, status, released } = setup({
    open: (request) => {
      const answer = release(request, released);
      if (answer.ok) answer.keys.get("B")?.fill(7);
      return answer;
    },
  });
  await run();
  t.notOk(calls.includes("apply secrets"));
  t.match(reasons(status()), { Ready: "False CannotOpen", Verified: "False CannotOpen" });
  t.ok(released.every((key) => key.every((byte) => byte === 0)));
});

t.test("a bundle that cannot be read is refused without asking anybody", async (t) => {
  const broken = bundle(WORLD.environment, { A: "alpha" });
  const spec = { ...broken.spec, surprise: true } as ZoppSecret["spec"];
  const { run, calls, status, events } = setup({ bundle: { ...broken, spec } });
  await run();
  await run();
  t.strictSame(calls, ["apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False Malformed" });
  t.match(status()?.conditions?.[0]?.message, /spec\.surprise/);
  t.strictSame(events, ["Malformed"]);
});

t.test("a value that comes to its end is told of once a stage: no opening, and the Secret stays", async (t) => {
  const wall = { now: WRITING.now };
  const expires = "2026-12-08T10:11:12Z";
  const ends = withValue(bundle(WORLD.environment, { A: "alpha" }), "A", "alpha", { ...WRITING, expires });
  const { run, calls, status, events, memory } = setup({ bundle: ends, wall });
  const first = await run();
  const retryMs = memory.retryInMs(KEY);
  t.equal(first?.requeueAfterMs, retryMs, "the daily retry comes before the stage");
  calls.length = 0;
  for (const [time, requeueAfterMs] of [
    ["2026-11-24T10:11:12Z", retryMs],
    ["2026-12-08T10:11:11Z", 1000],
    ["2026-12-08T10:11:12Z", retryMs],
    ["2027-01-01T00:00:00Z", retryMs],
  ] as const) {
    wall.now = new Date(time);
    t.equal((await run())?.requeueAfterMs, requeueAfterMs, time);
  }
  t.strictSame(calls, Array(3).fill("apply zoppsecrets/status"));
  t.strictSame(events, ["ExpiresSoon", "ExpiresWithinADay", "Expired"]);
  t.match(reasons(status()), { Ready: "True Synced", Expiring: "True Expired" });
});

const FAILURES: Record<string, { given: Setup; ready: string; throws?: string }> = {
  "a full quota or a webhook is TargetDenied, and tried again": {
    given: { applyError: apiError("apply", 403, { reason: "Forbidden" }) },
    ready: "False TargetDenied",
    throws: "TargetDenied",
  },
  "an immutable Secret is TargetImmutable": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "data", reason: "FieldValueForbidden" }] },
      }),
    },
    ready: "False TargetImmutable",
  },
  "another type is TargetImmutable": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "type", reason: "FieldValueInvalid" }] },
      }),
    },
    ready: "False TargetImmutable",
  },
  "a Secret that Kubernetes refuses otherwise is ApiInvalid": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "metadata.labels", reason: "FieldValueInvalid" }] },
      }),
    },
    ready: "False ApiInvalid",
  },
  "a keyring that is down for long is told": {
    given: { open: () => new ZoppError("KeyringUnavailable", "no"), triedForMs: 5_000 },
    ready: "False KeyringUnavailable",
    throws: "KeyringUnavailable",
  },
  "data that does not fit the type is TargetShape": {
    given: { bundle: bundle(WORLD.environment, { A: "alpha" }, { target: { type: "kubernetes.io/tls" } }) },
    ready: "False TargetShape",
  },
  "a template that names nothing is RenderInvalid": {
    given: { bundle: bundle(WORLD.environment, { A: "alpha" }, { render: { C: "[[ NOBODY ]]" } }) },
    ready: "False RenderInvalid",
  },
};
for (const [title, { given, ready, throws }] of Object.entries(FAILURES)) {
  t.test(title, async (t) => {
    const { run, status } = setup(given);
    if (throws === undefined) await run();
    else await t.rejects(run(), { code: throws });
    t.equal(reasons(status())["Ready"], ready);
    t.notMatch(JSON.stringify(status()), /alpha|beta/, "and no value is in the status");
  });
}
