// What is said of a Secret that is somebody else's: whole sentences, as people read them in a condition.
import t from "tap";
import { bundle, foreign } from "../../hack/situations.js";
import { contestedConflict, foreignConflict, ownedConflict } from "./target.conflict.js";
import type { SeenSecret } from "./target.seen.js";

/** A Secret of others with these keys. */
function held(keys: readonly string[], managers: readonly string[], ours: readonly string[] = []): SeenSecret {
  return { ...foreign(), writers: { ours, others: keys, managers } };
}
const HERE = "bundle shop/api: the Secret api is there and";
const many = Array.from({ length: 12 }, (_, at) => `OLD_${at + 10}`);

const SAID: Readonly<Record<string, readonly [said: string, want: string]>> = {
  "who writes its keys, and what each of them would become": [
    foreignConflict(bundle(), held(["A", "OLD"], ["kubectl-create"])).message,
    `${HERE} is not made by zopp (its keys are written by kubectl-create); taken over, its keys would be written anew: A; added: B; removed: OLD`,
  ],
  "as many names as anybody reads": [
    foreignConflict(bundle(), held(many, ["a", "b"])).message,
    `${HERE} is not made by zopp (its keys are written by a, b); taken over, its keys would be added: A, B; removed: ${many.slice(0, 10).join(", ")} and 2 more`,
  ],
  "keys that zopp itself once wrote count too": [
    foreignConflict(bundle(), held([], [], ["A", "GONE"])).message,
    `${HERE} is not made by zopp; taken over, its keys would be written anew: A; added: B; removed: GONE`,
  ],
  "no keys where nobody knows who wrote them": [
    foreignConflict(bundle(), held([], [])).message,
    `${HERE} is not made by zopp; taken over, its keys would be added: A, B`,
  ],
  "the bundle that it is made from": [
    foreignConflict(bundle(), { ...held(["A"], []), metadata: foreign({ "zopp.dev/bundle": "web" }).metadata }).message,
    `${HERE} is made from the bundle web; taken over, its keys would be written anew: A; added: B`,
  ],
  "a controller's Secret, which is not to be had": [
    ownedConflict(bundle(), { kind: "Certificate", name: "x" }).message,
    `${HERE} belongs to Certificate x`,
  ],
  "keys that others hold in a merged Secret": [
    contestedConflict(bundle(), ["A", "B"], ["helm"]).message,
    "bundle shop/api: the Secret api has A, B from another writer already (its keys are written by helm)",
  ],
};
for (const [title, [said, want]] of Object.entries(SAID)) t.test(title, async (t) => t.equal(said, want));
