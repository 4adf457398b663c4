// Of bundles.json: what is refused for who signed or approved it, for its form, and for its size.
// Places, versions and ledgers are vectors.bundles.ts' business.
import type { ZoppSecret } from "../crds/types.gen.js";
import { changed, withUnusedBit } from "./field-table.js";
import { flip, withEntry } from "./fixtures.bundle.js";
import { withHeader, withTombstone } from "./fixtures.js";
import type { BundleGiven, ObjectVector } from "./vectors.js";
import { approvedBy, bobs, empty, good, ledgerOf, NEXT_VERSION, withSealed, writing } from "./vectors.places.js";
import { plusOrder, refused } from "./vectors.world.js";

type BundleVector = ObjectVector<BundleGiven>;

const usual = { workspace: "usual", environment: "usual" } as const;
const ledger = ledgerOf(good);
const ENTRY = ["spec", "data", "DB_PASSWORD"] as const;
const entry = good.spec.data?.["DB_PASSWORD"];
const HEADER_SIGNATURE = good.spec.header.signature;

function refuses(
  code: Extract<BundleVector["expected"], { code: unknown }>["code"],
  rows: readonly (readonly [name: string, why: string, object: unknown, given?: Partial<BundleGiven>])[],
): readonly BundleVector[] {
  return rows.map(([name, why, object, given = {}]) =>
    refused<BundleGiven>(name, why, code, { ...usual, ...given, object }),
  );
}

const under = (workspace: string): Partial<BundleGiven> => ({ workspace });
const newValue = (by: string, key = "DB_PASSWORD"): ZoppSecret =>
  withSealed(good, key, key === "DB_PASSWORD" ? { by, version: NEXT_VERSION } : { by });

/** What signatures and rights refuse. */
export function unsigned(): readonly BundleVector[] {
  const { sealed = "", signature = "" } = entry ?? {};
  const header = (change: object): ZoppSecret => ({
    ...good,
    spec: { ...good.spec, header: { ...good.spec.header, ...change } },
  });
  return [
    ...refuses("SignatureInvalid", [
      [
        "changed-value",
        "a bit of the sealed value was changed",
        withEntry(good, "DB_PASSWORD", { sealed: flip(sealed) }),
      ],
      ["changed-version", "the version was raised", withEntry(good, "DB_PASSWORD", { version: NEXT_VERSION })],
      ["added-end", "an end was added", withEntry(good, "DB_PASSWORD", { expires: "2030-01-01T00:00:00Z" })],
      ["changed-target", "the header signs the target", changed(good, ["spec", "target", "name"], "other")],
      ["changed-template", "and the templates", changed(good, ["spec", "render", "DATABASE_URL"], "[[ DB_PASSWORD ]]")],
      [
        "signature-s-plus-l",
        "S is not below the group's order",
        withEntry(good, "DB_PASSWORD", { signature: plusOrder(signature) }),
      ],
      ["header-s-plus-l", "nor the header's", header({ signature: plusOrder(HEADER_SIGNATURE) })],
    ]),
    ...refuses("UnknownSigner", [
      ["stranger", "nobody whom the policy names", newValue("mallory"), { ledger }],
      ["author-left-new", "bob has left, and no ledger knows it", bobs, under("bob-left")],
    ]),
    ...refuses("NotAuthorised", [
      ["no-grant", "carol has no grant", newValue("carol"), { ledger }],
      ["other-key", "ci may submit IMAGE_* only", newValue("ci"), { ledger }],
      [
        "header-by-a-submitter",
        "a header takes write without patterns",
        withHeader(good, { restart: "none" }, writing("ci")),
        { ledger },
      ],
      ["new-by-a-submitter", "so does a new bundle", empty({ by: "ci" })],
      ["grant-ended", "the grant's end has come", bobs, under("grant-ended")],
      ["principal-ended", "bob's end has come", bobs, under("bob-ended")],
    ]),
  ];
}

/** What waits for approvals. */
export function unapproved(): readonly BundleVector[] {
  return refuses("PendingApproval", [
    ["no-approval", "the owners ask for one", good, under("approval-of-one")],
    [
      "approval-of-two-devices",
      "two devices of one approver count once",
      approvedBy(good, ["carol", "carol/phone"]),
      under("approval-of-two"),
    ],
    [
      "approval-of-the-author",
      "bob, who wrote it, may approve what others wrote",
      approvedBy(bobs, ["bob"]),
      under("approval-of-one"),
    ],
    ["approval-of-no-approver", "ci may not approve", approvedBy(good, ["ci"]), under("approval-of-one")],
    [
      "approval-as-author",
      "an author's signature is another statement",
      approvedBy(good, ["bob"], false),
      under("approval-of-one"),
    ],
    [
      "approval-of-the-header-only",
      "one part waits, so all wait",
      { ...approvedBy(good, ["bob"]), spec: { ...good.spec, header: approvedBy(good, ["bob"]).spec.header } },
      under("approval-of-one"),
    ],
  ]);
}

/** Targets that could make another controller act. */
export function forbidden(): readonly BundleVector[] {
  return refuses("TargetForbidden", [
    ["target-token", "a service account's token", empty({ target: { type: "kubernetes.io/service-account-token" } })],
    ["target-bootstrap", "a token to join the cluster", empty({ target: { type: "bootstrap.kubernetes.io/token" } })],
    ["target-helm", "a release of helm", empty({ target: { type: "helm.sh/release.v1" } })],
    ["target-without-domain", "no type of Kubernetes, and no domain", empty({ target: { type: "opaque" } })],
    [
      "target-annotation",
      "an annotation of kubernetes.io",
      empty({ target: { annotations: { "kubernetes.io/service-account.name": "x" } } }),
    ],
    [
      "target-annotation-of-helm",
      "of helm.sh",
      empty({ target: { annotations: { "meta.helm.sh/release-name": "x" } } }),
    ],
    ["target-label", "a label of k8s.io", empty({ target: { labels: { "app.k8s.io/name": "x" } } })],
  ]);
}

/** What has not the form of a bundle. */
export function malformed(): readonly BundleVector[] {
  const { sealed = "", signature = "" } = entry ?? {};
  const wrong = (path: readonly (string | number)[], value: unknown): unknown => changed(good, path, value);
  const retired = withTombstone(good, "DB_USER", writing("alice"));
  return refuses("Malformed", [
    ["unknown-field", "no field is ignored", wrong(["spec", "comment"], "x")],
    ["unknown-field-of-an-entry", "nor further down", wrong([...ENTRY, "note"], "x")],
    [
      "target-elsewhere",
      "the target is in the bundle's namespace",
      wrong(["spec", "target", "namespace"], "kube-system"),
    ],
    ["proto", "no key has that name", wrong(["spec", "data", "__proto__"], entry)],
    ["proto-label", "nor a label", wrong(["spec", "target", "labels", "__proto__"], "x")],
    ["key-dots", "a Secret has no such key", wrong(["spec", "data", "..data"], entry)],
    ["key-slash", "a Secret has no such key", wrong(["spec", "data", "a/b"], entry)],
    ["sealed-unpadded", "base64 is padded", wrong([...ENTRY, "sealed"], sealed.replace(/=+$/, ""))],
    ["sealed-unused-bit", "its unused bits are zero", wrong([...ENTRY, "sealed"], unusedBit(sealed))],
    ["sealed-url-digits", "and its digits are + and /", wrong([...ENTRY, "sealed"], `-_${sealed.slice(2)}`)],
    ["signature-unused-bit", "in signatures too", wrong([...ENTRY, "signature"], withUnusedBit(signature))],
    ["header-unused-bit", "in headers too", wrong(["spec", "header", "signature"], withUnusedBit(HEADER_SIGNATURE))],
    ["version-text", "versions are integers", wrong([...ENTRY, "version"], "20261120101112")],
    ["version-too-large", "and at most 99991231235999", wrong([...ENTRY, "version"], 2 ** 53)],
    ["null", "absent is written by leaving it out", wrong([...ENTRY, "expires"], null)],
    ["no-such-day", "2027 has no 29 February", wrong([...ENTRY, "expires"], "2027-02-29T00:00:00Z")],
    ["sealed-and-retired", "a tombstone holds no value", wrong([...ENTRY, "retired"], true)],
    ["tombstone-with-a-key", "and is sealed to nobody", changed(retired, ["spec", "data", "DB_USER", "to"], entry?.to)],
    ["rendered-data-key", "a key is rendered or sealed", wrong(["spec", "render", "DB_USER"], "x")],
    ["any-place", "no bundle is named *", wrong(["metadata", "namespace"], "*")],
    ["other-kind", "it says what it is", wrong(["kind"], "ZoppEnvironment")],
  ]);
}

/** The sealed value with a last digit that says something in bits that mean nothing. */
function unusedBit(sealed: string): string {
  return sealed.endsWith("=") ? withUnusedBit(sealed) : `${sealed.slice(0, -4)}AB==`;
}

/** What is over a limit. */
export function tooLarge(): readonly BundleVector[] {
  const many = (count: number, name: string, value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}${at}`, value]));
  const { version, by, signature } = good.spec.header;
  const tombstone = { version, by, retired: true, signature };
  return refuses("TooLarge", [
    ["257-entries", "at most 256", changed(good, ["spec", "data"], many(257, "K", tombstone))],
    ["65-labels", "at most 64", changed(good, ["spec", "target", "labels"], many(65, "l", "x"))],
    ["long-template", "at most 16,384 characters", changed(good, ["spec", "render", "LONG"], "x".repeat(16385))],
  ]);
}
