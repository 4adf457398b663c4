// What is written down of a Job before there is one, while the watch is behind our own writes. What Jobs do is tried on a real API server.
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { situation } from "../../hack/situations.js";
import type { ApplyOptions } from "../kube/client.js";
import { apiError } from "../kube/errors.js";
import type { KubeObject, Resource } from "../kube/resources.js";
import { epochsOf } from "./epochs.js";
import { bundle, FIRST } from "./rotation.case.js";
import { type ValuesDeps, workThrough } from "./rotation.js";
import { jobPlace } from "./rotation.plan.js";

t.test("the Job's name is written over the object that holds its values, also before the watch shows it", async (t) => {
  const secret = bundle();
  const seen = { ...secret, metadata: { ...secret.metadata, resourceVersion: "1" } } as ZoppSecret;
  let stored = seen;
  const apply = async (_: Resource, object: KubeObject, __: ApplyOptions) => {
    if (object.metadata.resourceVersion !== stored.metadata.resourceVersion)
      throw apiError("apply", 409, { reason: "Conflict" });
    const resourceVersion = String(Number(stored.metadata.resourceVersion) + 1);
    const status = { ...stored.status, ...(object as ZoppSecret).status };
    stored = { ...stored, metadata: { ...stored.metadata, resourceVersion }, status };
    return { metadata: stored.metadata };
  };
  const get = () => Promise.reject(apiError("get", 404, { reason: "NotFound" }));
  const client = { apply, get } as never;
  const deps: ValuesDeps = {
    client,
    keyring: {
      generate: async () => ({ generated: FIRST, made: ["USER", "PASSWORD"], waiting: [] }),
      open: async () => ({ ok: false, policy: [], error: new ZoppError("UnknownSigner", "no") }),
    },
    // content as the watch shows it, with the status of our answers
    bundles: { get: () => ({ ...seen, ...(stored.status && { status: stored.status }) }), put() {}, drop() {} },
    rotations: { client, did() {} },
    now: () => new Date("2026-11-23T10:11:12Z"),
    wrote() {},
    opened() {},
  };
  const { signal } = new AbortController();
  const hold = { mode: "create" } as const;
  const work = { key: "shop/db", seen, bundle: secret, digest: "d", hold, managers: [], retain: false, signal };
  const { outcome } = await workThrough({ ...work, epochs: epochsOf(undefined) }, situation({ bundle: secret }), deps);
  t.match(outcome, { error: { code: "UnknownSigner" } }, "the keyring was asked, after both were kept");
  t.match(stored.status, { generated: FIRST, rotation: jobPlace(secret, FIRST).name });
});
