// Making values: what comes of each kind, that it is sealed, signed and recorded, and that an Open alone accepts it.
import { createPrivateKey, createPublicKey } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { ruleHash } from "../../crds/bundle/generated.js";
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import { openEntry } from "../../crds/crypto/entry.js";
import { ZoppError } from "../../crds/errors.js";
import type { GeneratedEntry, GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { generating, PASSWORD, ruled, withGenerated } from "../../hack/fixtures.generated.js";
import { acme, identityOf, production } from "../../hack/fixtures.js";
import { LATER, sent } from "../../hack/keyring-world.js";
import { OPERATOR, openingKeyring } from "../../hack/opening-keyring.js";
import { generateValues } from "./generate.js";
import { makeValue, password } from "./generate.values.js";
import type { SentBundle } from "./open.js";

const HOUR = 3_600_000;
type Values = Readonly<Record<string, GeneratedEntry>>;

/** A keyring that makes and opens, and whose clock can be moved. */
async function keyring(workspace = acme()) {
  const kept = await openingKeyring(workspace, production());
  const { world, book } = kept;
  let now = LATER;
  const generate = (secret: ZoppSecret) =>
    generateValues(presented(secret), OPERATOR, {
      book,
      ledger: world.ledger,
      cluster: identityOf("cluster eu-1").signing,
      now: () => now,
      record: async (fact) => void world.facts.push(fact),
      refuse: (fact) => void world.refusals.push(fact),
    });
  const open = async (secret: ZoppSecret) => (await kept.openAs(OPERATOR, [presented(secret)], now))[0];
  const makeAndOpen = async (secret: ZoppSecret) => {
    const { generated } = await generate(secret);
    const opened = await open(withGenerated(secret, generated));
    if (opened?.ok !== true) throw opened?.error ?? new TypeError("no result");
    return { generated, values: valuesIn(secret, generated, opened.keys) };
  };
  const pass = (ms: number): void => {
    now = new Date(now.getTime() + ms);
  };
  return { ...kept, generate, open, makeAndOpen, pass };
}

function presented(secret: ZoppSecret): SentBundle {
  const { generated } = secret.status ?? {};
  return { ...sent(secret), ...(generated === undefined ? {} : { generated: Buffer.from(JSON.stringify(generated)) }) };
}

/** What the operator makes of the keys that were released. */
function valuesIn(secret: ZoppSecret, generated: Values, keys: ReadonlyMap<string, Uint8Array>) {
  const { TOKEN } = generated;
  const sealed = {
    TOKEN: TOKEN?.sealed,
    OLD_TOKEN: TOKEN?.previous?.sealed,
    DB_USER: secret.spec.data?.["DB_USER"]?.sealed,
  };
  return Object.fromEntries(
    [...keys].map(([key, entryKey]) => {
      const bytes = decodeBase64(sealed[key as keyof typeof sealed] ?? "") ?? new Uint8Array();
      return [key, Buffer.from(openEntry(entryKey, "xwing", bytes)).toString()];
    }),
  );
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
  );
}

t.test("a password is made, recorded without its value, opened beside the sealed keys, and then stays", async (t) => {
  const { makeAndOpen, generate, recorded } = await keyring();
  const secret = generating();
  const { generated, values } = await makeAndOpen(secret);
  t.match(values["TOKEN"], /^[A-Za-z0-9]{32}$/);
  t.equal(values["DB_USER"], "shop");
  const [made, opened] = recorded();
  t.match(made, {
    action: "generate",
    decision: "done",
    evidence: "delegated",
    actor: OPERATOR.actor,
    object: "shop-prod/api",
    environment: "acme/shop/production",
    keys: ["TOKEN"],
    versions: { TOKEN: generated["TOKEN"]?.version },
  });
  t.match(opened, { action: "open", generated: { TOKEN: { rule: ruleHash(PASSWORD) } } });
  t.notMatch(JSON.stringify(recorded()), values["TOKEN"] ?? "");
  t.strictSame(await generate(withGenerated(secret, generated)), { generated, made: [] });
});

t.test("what was made and lost on the way to the status is made again; what was opened is not", async (t) => {
  const { makeAndOpen, generate, open, replay } = await withReplay();
  const secret = generating();
  await generate(secret);
  const { generated } = await makeAndOpen(secret);
  t.equal(await codeOf(generate(secret)), "GeneratedLost");
  const without = await open(secret);
  t.equal(without?.ok === false && without.error.code, "GeneratedLost");
  replay();
  t.equal(await codeOf(generate(secret)), "GeneratedLost", "after a restart too");
  t.strictSame((await generate(withGenerated(secret, generated))).generated, generated);
});

async function withReplay() {
  const kept = await keyring();
  return { ...kept, replay: () => kept.world.replay() };
}

t.test(
  "when the hour is over another value is made, and the one before stays under the key that the rule names",
  async (t) => {
    const { makeAndOpen, generate, pass } = await keyring();
    const secret = generating();
    const first = await makeAndOpen(secret);
    t.notOk("OLD_TOKEN" in first.values, "there is none before the first");
    pass(HOUR - 1000);
    t.strictSame((await generate(withGenerated(secret, first.generated))).made, [], "not a second too early");
    pass(1000);
    const second = await makeAndOpen(withGenerated(secret, first.generated));
    t.equal(second.values["OLD_TOKEN"], first.values["TOKEN"]);
    t.not(second.values["TOKEN"], first.values["TOKEN"]);
    pass(HOUR);
    const third = await makeAndOpen(withGenerated(secret, second.generated));
    t.equal(third.values["OLD_TOKEN"], second.values["TOKEN"]);
    t.notOk(
      third.generated["TOKEN"]?.previous && "previous" in third.generated["TOKEN"].previous,
      "and no chain grows",
    );
  },
);

t.test("an operator that has values made and holds them back uses none of them later", async (t) => {
  const { generate, makeAndOpen, open, pass } = await keyring();
  const secret = generating();
  const held = (await generate(secret)).generated;
  pass(1000);
  const hoard = (await generate(secret)).generated;
  await makeAndOpen(withGenerated(secret, held));
  pass(2 * HOUR);
  const opened = await open(withGenerated(secret, hoard));
  t.equal(opened?.ok === false && opened.error.code, "RollbackRefused");
});

t.test(
  "values that were held back do not follow each other at will, and the one before is still the one that was used",
  async (t) => {
    const { generate, makeAndOpen, open, pass } = await keyring();
    const secret = generating();
    const first = await makeAndOpen(secret);
    const hoard: Values[] = [];
    for (let hour = 0; hour < 3; hour += 1) {
      pass(HOUR);
      hoard.push((await generate(withGenerated(secret, first.generated))).generated);
    }
    const codes: string[] = [];
    for (const held of hoard.slice(0, 2)) {
      const opened = await open(withGenerated(secret, held));
      codes.push(opened?.ok === false ? opened.error.code : "ok");
    }
    t.strictSame(codes, ["ApiConflict", "ApiConflict"], "they are asked for again");
    const late = await makeAndOpen(withGenerated(secret, hoard[0] ?? {}));
    t.equal(late.values["OLD_TOKEN"], first.values["TOKEN"]);
    const newest = await open(withGenerated(secret, hoard[2] ?? {}));
    t.equal(newest?.ok === false && newest.error.code, "RollbackRefused");
  },
);

t.test("somebody signs for another value: it is made at once, whatever became of the old one", async (t) => {
  const { makeAndOpen, pass } = await keyring();
  const secret = generating();
  const first = await makeAndOpen(secret);
  pass(1000);
  const again = ruled(secret, { ...PASSWORD, version: PASSWORD.version + 1 }, LATER);
  const second = await makeAndOpen(again);
  t.not(second.values["TOKEN"], first.values["TOKEN"]);
});

t.test("nothing is made for a bundle of which anything is refused, and the refusal is recorded", async (t) => {
  const refused: readonly (readonly [secret: ZoppSecret, code: string])[] = [
    [generating(PASSWORD, "ci"), "NotAuthorised"],
    [generating(PASSWORD, "mallory"), "UnknownSigner"],
    [{ ...generating(), metadata: { namespace: "shop-prod", name: "web" } }, "PlaceMismatch"],
  ];
  for (const [secret, code] of refused) {
    const { generate, world, recorded } = await keyring();
    t.equal(await codeOf(generate(secret)), code === "PlaceMismatch" ? "SignatureInvalid" : code);
    t.strictSame(recorded(), []);
    t.match(world.refusals.at(-1), { action: "generate", decision: "refused" });
  }
});

t.test("a policy that has expired has nothing made, and goes on with what there is", async (t) => {
  const { makeAndOpen, generate, open, pass } = await keyring(acme({ expires: "2026-11-23T12:30:00Z" }));
  const secret = generating();
  const { generated } = await makeAndOpen(secret);
  pass(HOUR);
  t.equal(await codeOf(generate(withGenerated(secret, generated))), "PolicyExpired");
  t.equal((await open(withGenerated(secret, generated)))?.ok, true);
});

t.test("each kind gives what it says", async (t) => {
  const text = async (rule: Omit<GenerateRule, "version">) =>
    Buffer.from(await makeValue({ version: 1, ...rule })).toString();
  t.match(await text({ kind: "uuid" }), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal((await makeValue({ version: 1, kind: "bytes", length: 64 })).length, 64);
  t.equal(createPrivateKey(await text({ kind: "ed25519" })).asymmetricKeyType, "ed25519");
  const curve = createPrivateKey(await text({ kind: "ecdsa", curve: "P-384" })).asymmetricKeyDetails?.namedCurve;
  t.equal(curve, "secp384r1");
  const rsa = createPublicKey(await text({ kind: "rsa", bits: 2048 }));
  t.equal(rsa.asymmetricKeyDetails?.modulusLength, 2048);
});

const CHARACTERS = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));

t.test("a password holds only characters of its alphabet, and each of them as often as any other", async (t) => {
  const alphabets = fc.uniqueArray(fc.constantFrom(...CHARACTERS), { minLength: 2, maxLength: 95 });
  const onlyItsOwn = fc.property(alphabets, fc.integer({ min: 8, max: 1024 }), (characters, length) => {
    const made = password(characters.join(""), length);
    return made.length === length && [...made].every((character) => characters.includes(character));
  });
  const unbiased = fc.property(alphabets, (characters) => {
    const each = 400;
    const made = password(characters.join(""), characters.length * each);
    const counts = characters.map((character) => made.split(character).length - 1);
    const chiSquared = counts.reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
    const degrees = characters.length - 1;
    // far beyond chance, and far below what a remainder of a random byte gives
    return chiSquared < degrees + 7 * Math.sqrt(2 * degrees) + 15;
  });
  t.doesNotThrow(() => fc.assert(onlyItsOwn));
  t.doesNotThrow(() => fc.assert(unbiased, { numRuns: 30 }));
});
