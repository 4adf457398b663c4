// What a person keeps of logs beside the values that a keyring gave out: nothing that a keyring says of somebody else's.
import t from "tap";
import { signCheckpoint } from "../../crds/audit/checkpoint.js";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { Workbench } from "../run.case.js";
import { keepOpened, seenOf } from "./seen.js";

const [honest, taken] = [newSigningKey(), newSigningKey()];
const signed = (log: string, key: typeof honest, size = 7) =>
  signCheckpoint({ log, size, root: new Uint8Array(32) }, key);

t.test("a keyring that was taken over says nothing of another cluster's log", (t) => {
  const context = new Workbench(t).context();
  const own = signed("log-eu", honest);
  keepOpened(context, own, { key: honest.verifyKey, log: "log-eu" });
  const forged = signed("log-eu", taken);
  t.throws(() => keepOpened(context, forged, { key: taken.verifyKey, log: "log-us" }), {
    code: "CheckpointInvalid",
    message: "the checkpoint is of log log-eu, and policy names log-us",
  });
  t.same(seenOf(context, "log-eu"), { opened: [own] }, "what is known of that one stays as it was");
  t.same(seenOf(context, "log-us"), { opened: [] });
  t.end();
});

t.test("nor does it get kept what another key signed", (t) => {
  const context = new Workbench(t).context();
  const forged = signed("log-us", honest);
  t.throws(() => keepOpened(context, forged, { key: taken.verifyKey, log: "log-us" }), { code: "CheckpointInvalid" });
  t.same(seenOf(context, "log-us"), { opened: [] });
  t.end();
});
