// Of bundles.json: jobs that a header has run with the bundle's values, and who may sign for one.
// What else a header's signer needs is vectors.bundles.refused.ts'.
import type { SecretSpec, ZoppSecret } from "../crds/types.gen.js";
import { withHeader } from "./fixtures.js";
import type { BundleGiven, ObjectVector } from "./vectors.js";
import { bobs, good, ledgerOf, NEXT_VERSION, takes, writing } from "./vectors.places.js";
import { refused } from "./vectors.world.js";

const ROTATION = {
  image: "registry.example.com/rotate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  command: ["/bin/rotate"],
  deadline: "5m",
  keys: ["DB_PASSWORD"],
} as const;
const PASSWORD = { version: NEXT_VERSION, kind: "password", length: 32, previous: "OLD" } as const;

/** The good bundle with a rule and a job, its header signed by somebody. */
function rotatedBy(name: string, changes: Partial<SecretSpec> = {}, of: ZoppSecret = good): ZoppSecret {
  return withHeader(of, { generate: { TOKEN: PASSWORD }, rotation: ROTATION, ...changes }, writing(name));
}

/** Bob's bundle with a job that he signed for, for a baseline to list. */
export const bobsJob: ZoppSecret = rotatedBy("bob", {}, bobs);

/** Bundles with a rotation. */
export function rotated(): readonly ObjectVector<BundleGiven>[] {
  const given = { workspace: "usual", environment: "usual", ledger: ledgerOf(good) } as const;
  const alices = rotatedBy("alice");
  const known = { ...given, ledger: ledgerOf(alices) };
  const rotation = (changes: object) => ({
    ...given,
    object: rotatedBy("alice", { rotation: { ...ROTATION, ...changes } }),
  });
  const unsigned = (fields: object) => ({ ...alices, spec: { ...alices.spec, ...fields } });
  return [
    takes("rotation", "an admin has a job run with the bundle's values", { ...given, object: alices }),
    takes("rotation-known", "what the ledger holds is not judged again", {
      ...given,
      workspace: "bob-left",
      ledger: ledgerOf(bobsJob),
      object: bobsJob,
    }),
    takes("rotation-removed", "a header without a job is a header like any other", {
      ...known,
      object: withHeader(alices, { rotation: undefined }, writing("bob", "usual", new Date("2026-11-23T10:12:10Z"))),
    }),
    refused<BundleGiven>("rotation-by-a-writer", "a job takes who may sign the environment", "NotAuthorised", {
      ...given,
      object: rotatedBy("bob"),
    }),
    refused("rotation-signed-again", "also one that an admin had signed for before", "NotAuthorised", {
      ...known,
      object: withHeader(alices, { restart: "none" }, writing("bob", "usual", new Date("2026-11-23T10:12:10Z"))),
    }),
    refused("rotation-by-a-submitter", "and no key pattern is enough", "NotAuthorised", {
      ...given,
      object: rotatedBy("ci"),
    }),
    refused("rotation-listed", "a baseline stands in for no admin", "NotAuthorised", {
      workspace: "usual",
      environment: "usual",
      baseline: "bobs-job",
      object: bobsJob,
    }),
    refused("rotation-listed-author-left", "nor for one who has left", "NotAuthorised", {
      workspace: "bob-left",
      environment: "usual",
      baseline: "bobs-job",
      object: bobsJob,
    }),
    refused("rotation-added", "a job that nobody signed for", "SignatureInvalid", {
      ...given,
      object: { ...good, spec: { ...good.spec, generate: { TOKEN: PASSWORD }, rotation: ROTATION } },
    }),
    refused("rotation-changed", "nor with this image", "SignatureInvalid", {
      ...known,
      object: unsigned({ rotation: { ...ROTATION, image: "other" } }),
    }),
    refused("rotation-without-keys", "nor with its own keys in the Secret", "SignatureInvalid", {
      ...known,
      object: unsigned({ rotation: { ...ROTATION, keys: [] } }),
    }),
    refused("rotation-of-nothing", "there is nothing to rotate", "Malformed", {
      ...given,
      object: rotatedBy("alice", { generate: undefined }),
    }),
    refused("rotation-without-previous", "the job gets the value before", "Malformed", {
      ...given,
      object: rotatedBy("alice", { generate: { TOKEN: { ...PASSWORD, previous: undefined } } }),
    }),
    refused("rotation-key-generated", "a key for the job alone is sealed", "Malformed", rotation({ keys: ["OLD"] })),
    refused("rotation-key-rendered", "and not rendered", "Malformed", rotation({ keys: ["DATABASE_URL"] })),
    refused("rotation-key-twice", "each stands there once", "Malformed", rotation({ keys: ["A", "A"] })),
    refused("rotation-too-long", "at most one hour", "Malformed", rotation({ deadline: "61m" })),
  ];
}
