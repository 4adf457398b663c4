// The recovery key is tried before it is needed: on every epoch of every environment, and against its public key.

import { generateHybridIdentity, identityToRecipient } from "age-encryption";
import t from "tap";
import { Workbench } from "../run.case.js";

t.test("the recovery key opens every epoch of every environment", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["environment", "create", "shop/production", "--namespace", "shop-prod", "--access", "direct"]);
  await bench.must(["environment", "rekey", "shop/dev"]);
  const file = `${bench.folder}/recovery.txt`;
  const ran = await bench.must(["keys", "drill", "--recovery-file", file]);
  t.match(
    ran.out,
    /acme\/shop\/dev, epoch 1: opens[\s\S]*acme\/shop\/dev, epoch 2: opens[\s\S]*acme\/shop\/production, epoch 1: opens/,
  );
  t.match(ran.out, "opens all 3 keys of workspace acme");
  t.match(JSON.parse((await bench.must(["keys", "drill", "--recovery-file", file, "-o", "json"])).out), {
    opened: 3,
    failed: 0,
    keys: [{ environment: "acme/shop/dev", epoch: 1, opens: true }],
  });
});

t.test("another recovery key opens nothing, and each key that it leaves shut is named", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const other = await generateHybridIdentity();
  t.match(await identityToRecipient(other), /^age1pq/);
  const ran = await bench.run(["keys", "drill", "--recovery-file", "-"], { stdin: `${other}\n` });
  t.match(ran, { code: 6, out: /CannotOpen: environment acme\/shop\/dev: the recovery key does not open epoch 1/ });
  t.match(ran.out, "opens 0 of 1 keys: `zopp environment rekey` makes others");
  t.notMatch(ran.out + ran.err, "AGE-SECRET-KEY");
});

t.test("an environment that nobody signed is a failure, not a success with fewer keys", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  bench.write(
    "zopp/acme.shop.dev.yaml",
    bench.read("zopp/acme.shop.dev.yaml").replace("access: direct", "access: brokered"),
  );
  const ran = await bench.run(["keys", "drill", "--recovery-file", `${bench.folder}/recovery.txt`]);
  t.match(ran, { code: 3, out: /acme\/shop\/dev: SignatureInvalid/ });
});
