// Makes bundles.json, and of it the bundles that are accepted and those that policy, place or ledger refuse.
// What is refused for its signatures or its form is vectors.bundles.refused.ts; what a baseline lists, vectors.bundles.listed.ts.
import { readEnvironment } from "../crds/policy/environment.js";
import type { SecretSpec, ZoppSecret } from "../crds/types.gen.js";
import { moved, withEntry } from "./fixtures.bundle.js";
import { identityOf, withHeader, withTombstone } from "./fixtures.js";
import { certificates } from "./vectors.bundles.certified.js";
import { BASELINES, listed } from "./vectors.bundles.listed.js";
import { forbidden, malformed, tooLarge, unapproved, unsigned } from "./vectors.bundles.refused.js";
import { rotated } from "./vectors.bundles.rotated.js";
import type { BundleGiven, ObjectVector, ObjectVectors } from "./vectors.js";
import {
  approvedBy,
  bobs,
  ENVIRONMENTS,
  empty,
  good,
  goodUnder,
  type Judged,
  later,
  ledgerOf,
  NEXT_VERSION,
  takes,
  VERSION,
  WORKSPACES,
  withData,
  withSealed,
  writing,
} from "./vectors.places.js";
import { otherSealed, refused, sealedAt, withReferences } from "./vectors.world.js";

type BundleVector = ObjectVector<BundleGiven>;

const usual = { workspace: "usual", environment: "usual" } as const;
const ledger = ledgerOf(good);

function accepts(): readonly BundleVector[] {
  const empties = { ...good.spec.target, annotations: {}, immutable: false };
  return [
    takes("good", "signed by somebody who may write, at the newest epoch", { ...usual, object: good }),
    takes("good-xwing", "the same with X-Wing", {
      ...usual,
      environment: "xwing",
      object: goodUnder("xwing"),
    }),
    takes("for-a-cluster", "the environment names the cluster that asks", { ...usual, cluster: "eu-1", object: good }),
    takes("empty-things", "{} and false mean nothing, to no signature", {
      ...usual,
      object: { ...good, spec: { ...good.spec, target: empties } },
    }),
    takes("author-left", "the ledger holds all of it, so that its author may leave", {
      workspace: "bob-left",
      environment: "usual",
      ledger: ledgerOf(bobs),
      object: bobs,
    }),
    takes("policy-expired", "an expired policy goes on with what is known", {
      workspace: "expired",
      environment: "usual",
      ledger,
      object: good,
    }),
    takes("later", "a higher version", { ...usual, ledger, object: later }),
    takes("tombstone", "a signed one is the way to remove a key", {
      ...usual,
      ledger,
      object: withTombstone(good, "DB_USER", writing("alice")),
    }),
    takes("generated", "a key whose value the keyring makes, as the header says", {
      ...usual,
      ledger,
      object: generating(),
    }),
    takes("submitted", "ci may submit keys of its pattern", {
      ...usual,
      ledger,
      object: withSealed(good, "IMAGE_TAG", { by: "ci" }),
    }),
    takes("grant-ends-in-a-second", "an end counts from its very second on", {
      workspace: "grant-ends",
      environment: "usual",
      object: bobs,
    }),
    takes("older-epoch-known", "an older epoch opens what the ledger knows", olderEpoch()),
    takes("approved", "one approver signed the approval of each part", {
      workspace: "approval-of-one",
      environment: "usual",
      object: approvedBy(good, ["bob"]),
    }),
    takes("approved-by-two", "two persons beside the author", {
      workspace: "approval-of-two",
      environment: "usual",
      object: approvedBy(good, ["bob", "carol/phone"]),
    }),
    takes("known-needs-no-approval", "what was accepted before needs none", {
      workspace: "approval-of-one",
      environment: "usual",
      ledger,
      object: good,
    }),
    ...lenient(),
  ];
}

const PASSWORD = { version: NEXT_VERSION, kind: "password", length: 32, rotateEvery: "720h", previous: "OLD" } as const;

/** The good bundle with a rule for TOKEN, signed by alice. */
function generating(rule: NonNullable<SecretSpec["generate"]>[string] = PASSWORD, key = "TOKEN"): ZoppSecret {
  return withHeader(good, { generate: { [key]: rule } }, writing("alice"));
}

function misruled(): readonly BundleVector[] {
  const unsigned = { ...good, spec: { ...good.spec, generate: { TOKEN: PASSWORD } } };
  const pair = { version: NEXT_VERSION, kind: "ed25519", public: "TOKEN" } as const;
  const given = { ...usual, ledger };
  return [
    refused<BundleGiven>("rule-added", "a rule that nobody signed", "SignatureInvalid", { ...given, object: unsigned }),
    refused("rule-by-a-submitter", "a rule takes write without patterns", "NotAuthorised", {
      ...given,
      object: withHeader(good, { generate: { IMAGE_TAG: PASSWORD } }, writing("ci")),
    }),
    refused("generated-and-data", "a key is sealed or generated", "Malformed", {
      ...given,
      object: generating(PASSWORD, "DB_USER"),
    }),
    refused("generated-twice", "the public half under the key of the private one", "Malformed", {
      ...given,
      object: generating(pair),
    }),
    refused("weak-password", "less than 64 bits to guess", "Malformed", {
      ...given,
      object: generating({ ...PASSWORD, alphabet: "0123456789", length: 19 }),
    }),
    refused("rule-without-length", "a password has a length", "Malformed", {
      ...given,
      object: generating({ version: NEXT_VERSION, kind: "password" }),
    }),
  ];
}

/** Written when epoch 1 was the newest. */
function olderEpoch(): Judged {
  const object = withSealed(empty({}, "epoch-1"), "DB_PASSWORD", {}, "epoch-1");
  return { ...usual, ledger: ledgerOf(object), object };
}

/** What environments can ask for: going back, and entries of the whole environment. */
function lenient(): readonly BundleVector[] {
  const lax = { workspace: "usual", environment: "lax" } as const;
  const start = goodUnder("lax");
  const newer = withSealed(start, "DB_PASSWORD", { version: NEXT_VERSION }, "lax");
  const header = withHeader(start, { restart: "none" }, writing("alice", "lax"));
  const wide = withSealed(empty({ name: "preview" }, "wide"), "DB_PASSWORD", {}, "wide");
  return [
    takes("rollback-allowed", "entries may go back where the environment says so", {
      ...lax,
      ledger: ledgerOf(newer, "lax"),
      object: start,
    }),
    takes("wide", "signed for the whole environment", { ...usual, environment: "wide", object: wide }),
    takes("wide-moved", "so that it holds in any bundle of it", {
      ...usual,
      environment: "wide",
      object: moved(wide, "shop-prod", "preview-2"),
    }),
    refused<BundleGiven>("rollback-of-a-header", "headers never go back", "RollbackRefused", {
      ...lax,
      ledger: ledgerOf(header, "lax"),
      object: start,
    }),
  ];
}

function misplaced(): readonly BundleVector[] {
  const { DB_PASSWORD: one, DB_USER: other } = good.spec.data ?? {};
  const swapped = withData(good, { DB_PASSWORD: other, DB_USER: one } as ZoppSecret["spec"]["data"]);
  const elsewhere = moved(good, "shop-prod", "web");
  const otherPlaces = [{ namespace: "shop-prod", name: "api" }];
  const foreign = { ...ledger, environment: "acme/shop/staging" };
  return [
    refused<BundleGiven>("another-name", "it was signed for shop-prod/api", "SignatureInvalid", {
      ...usual,
      object: elsewhere,
    }),
    refused("another-name-explained", "the same, by a reader who knows that place", "PlaceMismatch", {
      ...usual,
      otherPlaces,
      object: elsewhere,
    }),
    refused("another-namespace", "it was signed for shop-prod/api", "PlaceMismatch", {
      ...usual,
      workspace: "two-namespaces",
      object: moved(good, "shop-b", "api"),
    }),
    refused("namespace-not-allowed", "even if signed for it", "NamespaceNotAllowed", {
      ...usual,
      object: empty({ namespace: "other" }),
    }),
    refused("swapped", "each was signed for the other key", "PlaceMismatch", { ...usual, object: swapped }),
    refused("cluster-not-named", "the environment names eu-1 only", "ClusterNotNamed", {
      ...usual,
      cluster: "eu-2",
      object: good,
    }),
    refused("environment-changed", "the place belongs to another environment", "EnvironmentChanged", {
      ...usual,
      ledger: foreign,
      object: good,
    }),
  ];
}

function outOfOrder(): readonly BundleVector[] {
  const twin = withSealed(good, "DB_PASSWORD", { sealed: otherSealed });
  const far = withSealed(good, "DB_PASSWORD", { version: 20261124101213, sealed: otherSealed });
  const { DB_USER: _, ...rest } = good.spec.data ?? {};
  const retired = withTombstone(good, "DB_USER", writing("alice"));
  const older = sealedAt("x25519", 1, { namespace: "shop-prod", name: "api", key: "DB_PASSWORD", version: VERSION });
  const epoch1 = readEnvironment(ENVIRONMENTS["epoch-1"]).newest.key.kid;
  const stranger = identityOf("bob").encryption.publicKey.kid;
  const header = withHeader(good, { restart: "none" }, writing("alice"));
  return [
    refused<BundleGiven>("replayed", "an older value put back", "RollbackRefused", {
      ...usual,
      ledger: ledgerOf(later),
      object: good,
    }),
    refused("same-version", "the accepted version with another value", "RollbackRefused", {
      ...usual,
      ledger,
      object: twin,
    }),
    refused("header-replayed", "an older header put back", "RollbackRefused", {
      ...usual,
      ledger: ledgerOf(header),
      object: good,
    }),
    refused("too-far", "a version of more than 24 hours later", "VersionTooFar", { ...usual, ledger, object: far }),
    refused("vanished", "an entry is gone without a tombstone", "EntryMissing", {
      ...usual,
      ledger,
      object: withData(good, rest),
    }),
    refused("tombstone-unsigned", "a tombstone with another signature", "SignatureInvalid", {
      ...usual,
      ledger,
      object: withEntry(retired, "DB_USER", { signature: good.spec.header.signature }),
    }),
    refused("older-epoch", "new content is sealed at the newest epoch", "UnknownEpoch", {
      ...usual,
      object: withSealed(empty(), "DB_PASSWORD", { to: epoch1, sealed: older }),
    }),
    refused("no-epoch", "sealed to a key that is not the environment's", "UnknownEpoch", {
      ...usual,
      object: withSealed(empty(), "DB_PASSWORD", { to: stranger }),
    }),
    refused("new-under-expired", "an expired policy accepts nothing new", "PolicyExpired", {
      ...usual,
      workspace: "expired",
      object: good,
    }),
    refused("new-under-outdated", "nor does an outdated environment", "EnvironmentOutdated", {
      ...usual,
      workspace: "epoch-demanded",
      object: good,
    }),
  ];
}

/** The vectors of bundles.json. */
export function bundleVectors(): ObjectVectors<BundleGiven> {
  const makers = [
    accepts,
    misruled,
    certificates,
    rotated,
    misplaced,
    outOfOrder,
    unsigned,
    unapproved,
    forbidden,
    malformed,
    tooLarge,
    listed,
  ];
  const vectors = makers.flatMap((make) => make());
  return withReferences({ workspace: WORKSPACES, environment: ENVIRONMENTS, baseline: BASELINES }, vectors);
}
