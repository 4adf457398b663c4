// Having values made while the bundle changes, and of many only some at once: what its status holds in the end.
import t from "tap";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { generating, madeAt } from "../../hack/fixtures.generated.js";
import { NOW } from "../../hack/fixtures.js";
import type { KeyringClient } from "../keyring/client.types.js";
import type { ApplyOptions } from "../kube/client.js";
import { apiError } from "../kube/errors.js";
import type { KubeObject, Resource } from "../kube/resources.js";
import { makeValues } from "./generate.js";
import { valuesDigest } from "./generate.plan.js";

const KEY = "shop-prod/api";
const SECRET = generating();
const FIRST = madeAt(SECRET, NOW);
const SECOND = madeAt(SECRET, new Date(NOW.getTime() + 1000));

/** A bundle on an API server that takes no write over an older version, and an operator that is to have its values made. */
function operator(generate: KeyringClient["generate"], secret = SECRET) {
  let stored: ZoppSecret = { ...secret, metadata: { ...secret.metadata, uid: "u", resourceVersion: "1" } };
  const write = (status: SecretStatus): void => {
    const resourceVersion = String(Number(stored.metadata.resourceVersion) + 1);
    stored = { ...stored, metadata: { ...stored.metadata, resourceVersion }, status: { ...stored.status, ...status } };
  };
  const apply = async (_: Resource, object: KubeObject, __: ApplyOptions) => {
    if (object.metadata.resourceVersion !== stored.metadata.resourceVersion)
      throw apiError("apply", 409, { reason: "Conflict" });
    write((object as ZoppSecret).status ?? {});
    return { metadata: stored.metadata };
  };
  const deps = {
    client: { apply: apply as never },
    keyring: { generate },
    bundles: { get: () => undefined, put() {}, drop() {} },
    now: () => NOW,
  };
  const make = () => makeValues({ key: KEY, bundle: secret, seen: stored }, deps, new AbortController().signal);
  return { make, write, values: () => stored.status?.generated };
}

t.test("what another operator kept while the keyring made a value is not written over", async (t) => {
  const { make, write, values } = operator(async () => {
    write({ generated: { TOKEN: SECOND } });
    return { generated: { TOKEN: FIRST }, made: ["TOKEN"], waiting: [] };
  });
  t.match(await make(), { code: "ApiConflict" });
  t.strictSame(values(), { TOKEN: SECOND });
});

t.test("what the keyring makes one after the other is all in the status in the end", async (t) => {
  const next = (generated: SecretStatus["generated"] = {}) => {
    if (generated["A"] === undefined) return "A";
    return generated["TOKEN"] === undefined ? "TOKEN" : undefined;
  };
  const rule = { version: 1, kind: "uuid" } as const;
  const secret = { ...SECRET, spec: { ...SECRET.spec, generate: { A: rule, TOKEN: rule } } };
  const { make, values } = operator(async ({ generated }) => {
    const key = next(generated);
    return key === undefined
      ? { generated: generated ?? {}, made: [], waiting: [] }
      : { generated: { ...generated, [key]: FIRST }, made: [key], waiting: [] };
  }, secret);
  const made = { generated: { A: FIRST, TOKEN: FIRST }, waiting: [] };
  t.match(await make(), { ...made, seen: { metadata: { resourceVersion: "3" } } });
  t.strictSame(values(), { A: FIRST, TOKEN: FIRST });
});

t.test("values that the Secret does not hold yet are asked about, and the accepted ones put back", async (t) => {
  const { make, write, values } = operator(async () => ({ generated: { TOKEN: FIRST }, made: [], waiting: [] }));
  write({ generated: { TOKEN: SECOND }, applied: valuesDigest(SECRET, { TOKEN: FIRST }) });
  t.match(await make(), { generated: { TOKEN: FIRST }, waiting: [] });
  t.strictSame(values(), { TOKEN: FIRST });
});
