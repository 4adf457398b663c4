// Generated values, judged without a keyring: which are taken, which are made, and what an attacker presents in vain.
import t from "tap";
import { caseOf, usual } from "../../hack/fixtures.bundle.js";
import { leafRule } from "../../hack/fixtures.certificates.js";
import { generating, madeAt, PASSWORD, ruled, withGenerated } from "../../hack/fixtures.generated.js";
import { bundle, identityOf, NOW } from "../../hack/fixtures.js";
import { ZoppError } from "../errors.js";
import type { GeneratedEntry, GenerateRule, ZoppSecret } from "../types.gen.js";
import type { AcceptedGenerated } from "./case.js";
import { judgeGenerated, ruleHash, statementOfGenerated } from "./generated.js";
import { verifyBundle } from "./verify.js";

const MINUTE = 60_000;
const at = (minutes: number): Date => new Date(NOW.getTime() + minutes * MINUTE);
const SECRET = generating();
const FIRST = madeAt(SECRET, at(1));
const cluster = identityOf("cluster eu-1").signing.verifyKey;

function knownOf(secret: ZoppSecret, { previous: _, ...value }: GeneratedEntry): AcceptedGenerated {
  const { version, rule, made, issuer } = value;
  return { version, rule, made, hash: statementOfGenerated(secret, "TOKEN", value).hash, issuer };
}
const KNOWN = knownOf(SECRET, FIRST);
const after = { value: FIRST, hash: KNOWN.hash };

interface Presented {
  readonly secret?: ZoppSecret;
  readonly rule?: GenerateRule;
  readonly present?: GeneratedEntry | undefined;
  readonly known?: AcceptedGenerated | undefined;
  readonly now?: Date;
  readonly newest?: string;
  /** The hash of the CA's accepted value. */
  readonly signs?: string | undefined;
}

/** What becomes of what is presented: held, accepted, made, or the code of the refusal. */
function judged({
  secret = SECRET,
  rule = PASSWORD,
  present,
  known,
  now = at(2),
  newest = FIRST.to,
  signs,
}: Presented): string {
  const ledger = known && {
    environment: "acme/shop/production",
    header: { version: 1, hash: "" },
    entries: new Map(),
    generated: new Map([["TOKEN", known]]),
  };
  const presented = present === undefined ? secret : withGenerated(secret, { TOKEN: present });
  try {
    const given = { secret: presented, ledger, cluster, newest, now, issuerOf: () => signs };
    const { held, restore, make } = judgeGenerated(given, "TOKEN", rule);
    const kept = held === undefined ? [] : [held.accepted === undefined ? "held" : "accepted"];
    if (restore !== undefined) kept.push(restore.value.version === known?.version ? "put back" : "mistaken");
    return [...kept, ...(make === undefined ? [] : ["made"])].join(" and ");
  } catch (error) {
    if (error instanceof ZoppError) return error.code;
    throw error;
  }
}

const OTHER_RULE: GenerateRule = { ...PASSWORD, version: PASSWORD.version + 1 };
const FOREVER: GenerateRule = { version: PASSWORD.version, kind: "password", length: 32 };
const DAILY: GenerateRule = { ...PASSWORD, rotateEvery: "1d" };
const again = ruled(SECRET, OTHER_RULE);
const LEAF = leafRule();
const leaf = generating(LEAF);
const [CA, OTHER_CA] = ["a".repeat(64), "b".repeat(64)] as const;
const SIGNED = madeAt(leaf, at(1), { rule: LEAF, issuer: CA });
const certified = { secret: leaf, rule: LEAF, present: SIGNED } as const;
const flipped = `${FIRST.sealed.startsWith("A") ? "B" : "A"}${FIRST.sealed.slice(1)}`;
const badSignature = madeAt(SECRET, at(0)).signature;
const elsewhere = bundle(usual.environment, {}, { name: "web", generate: { TOKEN: PASSWORD } });

const GOES_WELL: Readonly<Record<string, readonly [given: Presented, outcome: string]>> = {
  "nothing was ever made": [{}, "made"],
  "what was made is not accepted yet": [{ present: FIRST }, "accepted"],
  "it was accepted": [{ present: FIRST, known: KNOWN }, "held"],
  "its hour is over": [{ present: FIRST, known: KNOWN, now: at(61) }, "held and made"],
  "what was made after the hour comes in its place": [
    { present: madeAt(SECRET, at(61), { after }), known: KNOWN, now: at(62) },
    "accepted",
  ],
  "what was made and not used in its hour is made again": [{ present: FIRST, now: at(70) }, "made"],
  "so is what was to follow the accepted one": [
    { present: madeAt(SECRET, at(61), { after }), known: KNOWN, now: at(121) },
    "put back and made",
  ],
  "the environment got another key before what was made is accepted": [
    { present: FIRST, newest: "0".repeat(32) },
    "made",
  ],
  "the environment got another key afterwards": [{ present: FIRST, known: KNOWN, newest: "0".repeat(32) }, "held"],
  "somebody signed for another one": [{ secret: again, rule: OTHER_RULE, present: FIRST, known: KNOWN }, "made"],
  "somebody signed for another one, and the old one is lost": [
    { secret: again, rule: OTHER_RULE, known: KNOWN },
    "made",
  ],
  "the other one comes": [
    { secret: again, rule: OTHER_RULE, present: madeAt(again, at(2), { rule: OTHER_RULE }), known: KNOWN },
    "accepted",
  ],
  "only the hour became a day": [{ rule: DAILY, present: FIRST, known: KNOWN, now: at(61) }, "held"],
  "the hour became a day before what was made after the hour was accepted": [
    { rule: DAILY, present: madeAt(SECRET, at(61), { after }), known: KNOWN, now: at(62) },
    "put back",
  ],
  "and then the day is over": [
    { rule: DAILY, present: madeAt(SECRET, at(61), { after }), known: KNOWN, now: at(25 * 60) },
    "put back and made",
  ],
  "another one was signed for, and before it was accepted the rule came back": [
    { present: madeAt(again, at(2), { rule: OTHER_RULE, after }), known: KNOWN },
    "put back",
  ],
  "somebody writes rubbish, and leaves the one before there": [
    { present: { ...madeAt(SECRET, at(61), { after }), made: "2020-01-01T00:00:00Z" }, known: KNOWN },
    "put back",
  ],
  "the CA's accepted value signed the certificate": [{ ...certified, signs: CA }, "accepted"],
  "it was accepted, and its CA has no accepted value any more": [
    { ...certified, known: knownOf(leaf, SIGNED) },
    "held",
  ],
  "it was accepted, and its CA has another value": [
    { ...certified, known: knownOf(leaf, SIGNED), signs: OTHER_CA },
    "held and made",
  ],
  "another value of the CA is accepted before what the one before signed": [{ ...certified, signs: OTHER_CA }, "made"],
  "no value of the CA is accepted any more before what it signed is": [certified, "made"],
};
for (const [what, [given, outcome]] of Object.entries(GOES_WELL)) {
  t.test(what, async (t) => t.equal(judged(given), outcome));
}

const ATTACKS: Readonly<Record<string, readonly [given: Presented, code: string]>> = {
  "a wiped status makes no other value": [{ known: KNOWN }, "GeneratedLost"],
  "nor when its hour is over": [{ known: KNOWN, now: at(90) }, "GeneratedLost"],
  "a status whose rule was changed makes no other value": [
    { present: { ...FIRST, rule: ruleHash(OTHER_RULE) }, known: KNOWN },
    "GeneratedLost",
  ],
  "an older value is not put back": [
    { present: FIRST, known: knownOf(SECRET, madeAt(SECRET, at(61))), now: at(62) },
    "RollbackRefused",
  ],
  "a value that was made beside the accepted one is not taken later": [
    { present: madeAt(SECRET, at(2)), known: KNOWN, now: at(90) },
    "RollbackRefused",
  ],
  "a value is not rotated before its time": [{ present: madeAt(SECRET, at(60)), known: KNOWN }, "RollbackRefused"],
  "what is never rotated is not rotated": [
    {
      rule: FOREVER,
      present: madeAt(SECRET, at(500), { rule: FOREVER }),
      known: { ...KNOWN, rule: ruleHash(FOREVER) },
      now: at(600),
    },
    "RollbackRefused",
  ],
  "a value of the rule before does not come back with that rule": [
    {
      present: FIRST,
      known: { ...KNOWN, rule: ruleHash(OTHER_RULE), version: KNOWN.version + 5, hash: "0".repeat(64) },
    },
    "RollbackRefused",
  ],
  "an older value is not put back from the place of the one before": [
    {
      present: { ...madeAt(SECRET, at(61)), previous: FIRST },
      known: knownOf(SECRET, madeAt(SECRET, at(90))),
      now: at(91),
    },
    "RollbackRefused",
  ],
  "nor one whose signature was changed": [
    {
      present: {
        ...madeAt(again, at(2), { rule: OTHER_RULE, after }),
        previous: { ...FIRST, signature: badSignature },
      },
      known: KNOWN,
    },
    "GeneratedLost",
  ],
  "a value of another bundle": [{ present: madeAt(elsewhere, at(1)) }, "SignatureInvalid"],
  "a value of another key": [{ present: madeAt(SECRET, at(1), { key: "OTHER" }) }, "SignatureInvalid"],
  "a value of another cluster": [{ present: madeAt(SECRET, at(1), { by: "cluster eu-2" }) }, "SignatureInvalid"],
  "a value that an admin signed": [{ present: madeAt(SECRET, at(1), { by: "alice" }) }, "SignatureInvalid"],
  "a changed byte": [{ present: { ...FIRST, sealed: flipped }, known: KNOWN }, "SignatureInvalid"],
  "another signature on what was accepted": [
    { present: { ...FIRST, signature: badSignature }, known: KNOWN },
    "SignatureInvalid",
  ],
  "a changed time": [{ present: { ...FIRST, made: "2020-01-01T00:00:00Z" }, known: KNOWN }, "SignatureInvalid"],
  "a value of another rule that says it is of this one": [
    { present: { ...madeAt(again, at(1), { rule: OTHER_RULE }), rule: ruleHash(PASSWORD) } },
    "SignatureInvalid",
  ],
  "an older value in the place of the one before": [
    {
      present: { ...madeAt(SECRET, at(61), { after }), previous: madeAt(SECRET, at(0)) },
      known: KNOWN,
      now: at(62),
    },
    "GeneratedLost",
  ],
};
for (const [what, [given, code]] of Object.entries(ATTACKS)) {
  t.test(`whoever writes status gains nothing: ${what}`, async (t) => t.equal(judged(given), code));
}

t.test("only who may sign headers has a value generated, and a changed rule is no longer signed", async (t) => {
  t.equal(verifyBundle(caseOf(SECRET)).acceptedHeader?.version, SECRET.spec.header.version);
  t.throws(() => verifyBundle(caseOf(generating(PASSWORD, "ci"))), { code: "NotAuthorised" });
  const changed = { ...SECRET, spec: { ...SECRET.spec, generate: { TOKEN: { ...PASSWORD, rotateEvery: "1s" } } } };
  t.throws(() => verifyBundle(caseOf(changed)), { code: "SignatureInvalid" });
});
