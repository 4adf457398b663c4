import t, { type Test } from "tap";
import { caseOf, flip, good, LATER, ledgerOf, moved, usual, values, withEntry } from "../../hack/fixtures.bundle.js";
import { acme, bundle, person, withValue, world, writingBy } from "../../hack/fixtures.js";
import type { ErrorCode } from "../errors.js";
import type { ZoppSecret } from "../types.gen.js";
import type { BundleCase } from "./case.js";
import { examineBundle, verifyBundle } from "./verify.js";

function refuses(t: Test, code: ErrorCode, input: BundleCase, title?: string): void {
  t.throws(() => verifyBundle(input), { code }, title ?? code);
}

t.test("a signed bundle is accepted, and all of it is news to an empty ledger", async (t) => {
  const verified = verifyBundle(caseOf(good));
  t.same([...verified.acceptedEntries.keys()], ["DB_PASSWORD", "DB_USER"]);
  t.equal(verified.acceptedHeader?.version, good.spec.header.version);
  t.same(verified.warnings, []);
});

t.test("what the ledger holds is no news", async (t) => {
  const verified = verifyBundle(caseOf(good, { ledger: ledgerOf(good) }));
  t.equal(verified.acceptedEntries.size, 0);
  t.equal(verified.acceptedHeader, undefined);
  t.equal(verified.digest, verifyBundle(caseOf(good)).digest, "the digest does not depend on the ledger");
});

t.test("a changed byte is refused", async (t) => {
  const entry = good.spec.data?.DB_PASSWORD;
  if (entry?.sealed === undefined) throw new TypeError("the fixture has no sealed entry");
  refuses(
    t,
    "SignatureInvalid",
    caseOf(withEntry(good, "DB_PASSWORD", { sealed: flip(entry.sealed) })),
    "in the sealed value",
  );
  refuses(
    t,
    "SignatureInvalid",
    caseOf(withEntry(good, "DB_PASSWORD", { signature: flip(entry.signature) })),
    "in the signature",
  );
  refuses(
    t,
    "SignatureInvalid",
    caseOf(withEntry(good, "DB_PASSWORD", { version: entry.version + 1 })),
    "in the version",
  );
  refuses(
    t,
    "SignatureInvalid",
    caseOf(withEntry(good, "DB_PASSWORD", { expires: "2030-01-01T00:00:00Z" })),
    "an added end",
  );
  const header = { ...good.spec.header, signature: flip(good.spec.header.signature) };
  refuses(t, "SignatureInvalid", caseOf({ ...good, spec: { ...good.spec, header } }), "in the header's signature");
  refuses(
    t,
    "SignatureInvalid",
    caseOf({ ...good, spec: { ...good.spec, target: { name: "other" } } }),
    "in the header's fields",
  );
});

t.test("an entry moved anywhere is refused, and the message says where it belongs", async (t) => {
  const data = { ...good.spec.data, DB_USER: good.spec.data?.DB_PASSWORD } as NonNullable<ZoppSecret["spec"]["data"]>;
  const swapped = { ...good, spec: { ...good.spec, data } };
  t.throws(() => verifyBundle(caseOf(swapped)), {
    code: "PlaceMismatch",
    message: /DB_USER was signed for key DB_PASSWORD/,
  });
  const twoNamespaces = world(
    acme({ environments: [{ name: "shop/production", namespaces: ["shop-prod", "shop-b"], clusters: ["eu-1"] }] }),
  );
  t.throws(() => verifyBundle(caseOf(moved(good, "shop-b", "api"), twoNamespaces)), {
    code: "PlaceMismatch",
    message: /shop-prod\/api/,
  });
  const otherPlaces = [{ namespace: "shop-prod", name: "api" }];
  t.throws(() => verifyBundle(caseOf(moved(good, "shop-prod", "x-api"), { otherPlaces })), {
    code: "PlaceMismatch",
    message: /shop-prod\/api/,
  });
  refuses(t, "SignatureInvalid", caseOf(moved(good, "shop-prod", "x-api")), "an unknown origin is plainly invalid");
});

t.test("a namespace that the policy does not name for the environment is refused", async (t) => {
  refuses(t, "NamespaceNotAllowed", caseOf(moved(good, "other", "api")));
  refuses(
    t,
    "NamespaceNotAllowed",
    caseOf(bundle(usual.environment, values, { namespace: "other" })),
    "even if signed for it",
  );
});

t.test("who signs an entry must be known and may write that key, now", async (t) => {
  const by = (name: string, key = "IMAGE_TAG") => withValue(good, key, "v", writingBy(name, usual.environment, LATER));
  const ledger = ledgerOf(good);
  t.ok(verifyBundle(caseOf(by("bob"), { ledger })), "a writer");
  t.ok(verifyBundle(caseOf(by("ci"), { ledger })), "a submitter, for a key of its pattern");
  refuses(t, "NotAuthorised", caseOf(by("ci", "DB_PASSWORD"), { ledger }), "but for no other");
  refuses(t, "NotAuthorised", caseOf(by("carol"), { ledger }), "somebody without a grant");
  refuses(t, "UnknownSigner", caseOf(by("mallory"), { ledger }), "a stranger");
  const without = world(acme({ grants: [{ subject: "alice", role: "admin", scope: "*" }] }));
  refuses(t, "NotAuthorised", caseOf(by("bob"), { ledger, ...without }), "somebody whose grant was taken away");
});

t.test("removing a person turns nothing red that was accepted", async (t) => {
  const bobs = bundle(usual.environment, values, { by: "bob" });
  const without = world(
    acme({ principals: [person("alice")], groups: [], grants: [{ subject: "alice", role: "admin", scope: "*" }] }),
  );
  t.ok(verifyBundle(caseOf(bobs, { ...without, ledger: ledgerOf(bobs) })));
  refuses(t, "UnknownSigner", caseOf(bobs, without), "a new keyring refuses it");
  const lenient = examineBundle(caseOf(bobs, { ...without, lenient: true }));
  t.same(lenient.problems, []);
  t.same([...new Set(lenient.warnings.map(({ code }) => code))], ["AuthorLeft"], "a client warns");
});

t.test("creating a bundle and signing a header take write without key patterns", async (t) => {
  refuses(t, "NotAuthorised", caseOf(bundle(usual.environment, {}, { by: "ci" })), "a submitter");
  t.ok(verifyBundle(caseOf(bundle(usual.environment, {}, { by: "bob" }))));
});
