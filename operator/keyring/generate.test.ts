// Making values: that what is made is sealed, signed and recorded, and that an Open alone accepts it.
import t from "tap";
import { ruleHash } from "../../crds/bundle/generated.js";
import { ZoppError } from "../../crds/errors.js";
import type { GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { generating, PASSWORD, ruled, withGenerated } from "../../hack/fixtures.generated.js";
import { acme, bundle, withHeader, world, writingBy } from "../../hack/fixtures.js";
import { keyring, presented, type Values } from "../../hack/generating-keyring.js";
import { LATER } from "../../hack/keyring-world.js";
import { OPERATOR } from "../../hack/opening-keyring.js";
import { sealAway } from "./generate.js";
import { openBundles } from "./open.js";

const HOUR = 3_600_000;

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
  t.strictSame(await generate(withGenerated(secret, generated)), { generated, made: [], waiting: [] });
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

const UNKEPT: GenerateRule = { version: PASSWORD.version, kind: "password", length: 32, rotateEvery: "1h" };

for (const rule of [PASSWORD, UNKEPT]) {
  const kept = rule.previous === undefined ? "not kept" : "kept";
  t.test(
    `what was made and is not taken loses nothing: the accepted value comes back (${kept} under a key)`,
    async (t) => {
      const { makeAndOpen, generate, open, pass } = await keyring();
      const secret = generating(rule);
      const first = await makeAndOpen(secret);
      pass(HOUR);
      const { generated } = await generate(withGenerated(secret, first.generated));
      const daily = ruled(secret, { ...rule, rotateEvery: "1d" }, new Date(LATER.getTime() + HOUR));
      const opened = await open(withGenerated(daily, generated));
      t.equal(opened?.ok === false && opened.error.code, "ApiConflict", "it is asked for");
      const again = await makeAndOpen(withGenerated(daily, generated));
      t.equal(again.values["TOKEN"], first.values["TOKEN"]);
      t.equal(again.generated["TOKEN"]?.signature, first.generated["TOKEN"]?.signature);
    },
  );

  t.test(`a rule that comes back before its successor's value was used has its own value (${kept})`, async (t) => {
    const { makeAndOpen, generate, pass } = await keyring();
    const secret = generating(rule);
    const first = await makeAndOpen(secret);
    pass(1000);
    let { generated } = first;
    for (const version of [1, 2]) {
      const other = ruled(secret, { ...rule, version: rule.version + version }, LATER);
      ({ generated } = await generate(withGenerated(other, generated)));
    }
    const back = await makeAndOpen(withGenerated(secret, generated));
    t.equal(back.values["TOKEN"], first.values["TOKEN"]);
  });
}

t.test("a value before for which there is no key is released under none", async (t) => {
  const { makeAndOpen, pass } = await keyring();
  const secret = generating(UNKEPT);
  const first = await makeAndOpen(secret);
  pass(HOUR);
  const second = await makeAndOpen(withGenerated(secret, first.generated));
  t.strictSame(Object.keys(second.values).sort(), ["DB_USER", "TOKEN"]);
});

t.test("a clock that steps back while a value is made does not make one that is refused as too early", async (t) => {
  const { makeAndOpen, pass, steps } = await keyring();
  const secret = generating();
  const first = await makeAndOpen(secret);
  pass(HOUR + 1000);
  steps(-1000);
  const second = await makeAndOpen(withGenerated(secret, first.generated));
  t.equal(second.values["OLD_TOKEN"], first.values["TOKEN"]);
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

t.test(
  "what was made and not opened before its policy expired, or its log was lost, is accepted no more",
  async (t) => {
    const { makeAndOpen, generate, open, pass, world } = await keyring(acme({ expires: "2026-11-23T13:30:00Z" }));
    const secret = generating();
    const first = await makeAndOpen(secret);
    pass(HOUR);
    const { generated } = await generate(withGenerated(secret, first.generated));
    const next = withGenerated(secret, generated);
    world.log = "log-2";
    const [lost] = await openBundles([presented(next)], OPERATOR, world.opening(world.start()));
    t.equal(lost?.ok === false && lost.error.code, "LedgerLost");
    pass(HOUR / 2);
    const expired = await open(next);
    t.equal(expired?.ok === false && expired.error.code, "PolicyExpired");
  },
);

t.test("of many values as many are made as there is time for, and the rest when it is asked again", async (t) => {
  const { generate, open } = await keyring();
  const rule: GenerateRule = { version: 1, kind: "uuid" };
  const secret = bundle(world().environment, {}, { generate: { A: rule, B: rule, TOKEN: rule } });
  let generated: Values = {};
  const rounds: (readonly string[])[] = [];
  while (rounds.at(-1)?.length !== 0) {
    const answer = await generate(withGenerated(secret, generated), { withinMs: 0 });
    rounds.push(answer.made);
    generated = answer.generated;
  }
  t.strictSame(rounds, [["A"], ["B"], ["TOKEN"], []]);
  t.equal((await open(withGenerated(secret, generated)))?.ok, true);
});

t.test("what there is none of is made before another one of what there is", async (t) => {
  const { generate, makeAndOpen, pass } = await keyring();
  const secret = generating();
  const { generated } = await makeAndOpen(secret);
  pass(HOUR);
  const rules: Readonly<Record<string, GenerateRule>> = { TOKEN: PASSWORD, ZETA: { version: 1, kind: "uuid" } };
  const both = withHeader(secret, { generate: rules }, writingBy("alice", world().environment, LATER));
  t.strictSame((await generate(withGenerated(both, generated), { withinMs: 0 })).made, ["ZETA"]);
});

t.test("nothing is made or recorded for a caller that is gone", async (t) => {
  const { generate, recorded, world: kept } = await keyring();
  t.equal(await codeOf(generate(generating(), { signal: AbortSignal.abort() })), "KeyringUnavailable");
  t.strictSame([recorded(), kept.refusals], [[], []]);
});

t.test("a value that cannot be sealed is overwritten all the same", async (t) => {
  const value = Buffer.from("a private key");
  const cannot = () => {
    throw new TypeError("no such key");
  };
  t.throws(() => sealAway(value, cannot), TypeError);
  t.ok(value.every((byte) => byte === 0));
});
