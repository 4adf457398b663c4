// Owns the attacks of the demo: each is applied by somebody who may do everything in the cluster but sign for the owners.
// Does not own what is told before and after them.
import { readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { setEntry } from "../../crds/bundle/edit.js";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import type { ErrorCode } from "../../crds/errors.js";
import { readEnvironment } from "../../crds/policy/environment.js";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import { parseEnvironment, parseSecret } from "../../crds/validate.js";
import { ZOPP_WORKSPACES } from "../../operator/kube/resources.js";
import { PLACE, type Scene, type ScenePlace, type SeenSecret } from "./scene.js";
import type { Seat } from "./stage.js";
import { MANIFEST } from "./story.js";

/** Mallory at a clone of Alice's repository, and where Mallory makes a workspace. */
const CLONE: Seat = { person: "mallory", folder: "shop" };
const OWN: Seat = { person: "mallory", folder: "evil" };
const APPLY = "kubectl apply --server-side -f";
const FLIPPED_BYTE = 5;

interface Attack {
  readonly title: string;
  readonly told: string;
  readonly reason: ErrorCode;
  /** The bundle that must be refused; the story's own unless said otherwise. */
  readonly place?: ScenePlace;
  /** The command that shows the refusal. */
  readonly look?: string;
  act(scene: Scene): Promise<void>;
  /** What is cleaned away after it, besides applying what git holds. */
  readonly undo?: string;
}

const ATTACKS: readonly Attack[] = [
  {
    title: "One bit of a sealed value is flipped",
    told: "Encryption alone would notice when it opens the value. The signature covers its bytes: it is not even opened.",
    reason: "SignatureInvalid",
    act: (scene) => forge(scene, "DB_PASSWORD", ({ DB_PASSWORD }) => flipped(DB_PASSWORD)),
  },
  {
    title: "An entry is moved to another key",
    told: "The password under DB_USER would end up wherever the application logs its user. An entry is signed with its key.",
    reason: "PlaceMismatch",
    act: (scene) => forge(scene, "DB_USER", ({ DB_PASSWORD }) => DB_PASSWORD),
  },
  {
    title: "The bundle is copied to another namespace",
    told: "Shop-canary belongs to the same environment, with the same key; still, what was signed for one place stays there.",
    reason: "PlaceMismatch",
    place: { namespace: "shop-canary", name: PLACE.name },
    act: async (scene) =>
      void (await scene.type(`sed 's/namespace: shop-prod/namespace: shop-canary/' ${MANIFEST} | ${APPLY} -`, {
        seat: CLONE,
      })),
    undo: "kubectl delete zs api -n shop-canary",
  },
  {
    title: "A stranger seals and signs a value",
    told: "Anybody can seal a value for the environment, whose public key is public. What counts is who signed it.",
    reason: "UnknownSigner",
    act: (scene) => forge(scene, "DB_PASSWORD", (_, secret) => strangersEntry(scene, secret)),
  },
  {
    title: "An old version is put back",
    told: "Every byte is Alice's, and was good a minute ago. The keyring remembers what it accepted, and goes forward only.",
    reason: "RollbackRefused",
    act: async (scene) => void (await scene.type(`git show HEAD~1:${MANIFEST} | ${APPLY} -`, { seat: CLONE })),
  },
  {
    title: "A second workspace takes the bundle over",
    told: "Mallory uses zopp as intended, with a sound policy: own workspace, own environment for the same namespace, own values.",
    reason: "NotPinned",
    look: "kubectl get zws && kubectl get zs -A -o wide",
    act: takeOver,
    undo: "kubectl delete zws/evil zenv/evil.shop.production",
  },
];

/** Plays all attacks; each must be refused for its reason, and leave the Secret as it was. */
export async function playAttacks(scene: Scene): Promise<void> {
  const { narrator } = scene;
  narrator.chapter("Attacks");
  narrator.say(
    "Mallory has cloned the public repository and is an administrator of the cluster's API. None of that is the right to write secrets. Whatever is applied, the Secret that runs stays whole, and the bundle says why.",
  );
  await scene.type("git clone -q ../../alice/shop . && git log --oneline", { seat: CLONE });
  const good = await scene.secret();
  if (good === undefined) throw new TypeError("the attacks come after the story");
  for (const [index, attack] of ATTACKS.entries()) await play(scene, attack, { number: index + 1, good });
}

async function play(
  scene: Scene,
  attack: Attack,
  { number, good }: { number: number; good: SeenSecret },
): Promise<void> {
  const { narrator } = scene;
  const { place = PLACE, reason, look = "kubectl get zs -A -o wide" } = attack;
  narrator.section(`Attack ${number}: ${attack.title}`);
  narrator.say(attack.told);
  await attack.act(scene);
  const message = await scene.settled(reason, place);
  await scene.type(look, { seat: CLONE });
  scene.check(true, `refused: ${reason}: ${message}`);
  const secret = await scene.secret(place);
  if (place === PLACE) scene.check(isDeepStrictEqual(secret, good), "the Secret is as it was, and was not written");
  else scene.check(secret === undefined, `there is no Secret in ${place.namespace}`);
  await restore(scene, attack, good);
}

/** What git holds is applied again; it must be ready, without a write. */
async function restore(scene: Scene, { undo }: Attack, good: SeenSecret): Promise<void> {
  const again = "kubectl apply --server-side -R -f zopp";
  await scene.type(undo === undefined ? again : `${undo} && ${again}`, { lines: 0 });
  await scene.settled("Synced");
  const same = isDeepStrictEqual(await scene.secret(), good);
  scene.check(same, "what is in git is applied again: ready, and the Secret needed no write");
}

/** The entries that the attacks work with. */
type Entries = Readonly<Record<"DB_PASSWORD" | "DB_USER", Entry>>;

/** Puts another entry under a key of the bundle in Mallory's clone, shows what that changed, and applies it. */
async function forge(
  scene: Scene,
  key: keyof Entries,
  change: (entries: Entries, secret: ZoppSecret) => Entry,
): Promise<void> {
  const file = scene.stage.path(CLONE, MANIFEST);
  const text = readFileSync(file, "utf8");
  const secret = parseSecret(parse(text, { version: "1.1" }));
  const { DB_PASSWORD, DB_USER } = secret.spec.data ?? {};
  if (DB_PASSWORD === undefined || DB_USER === undefined) throw new TypeError("the story's bundle lacks an entry");
  const entries = { DB_PASSWORD, DB_USER };
  const forged = text.replace(entryText(key, entries[key]), entryText(key, change(entries, secret)));
  writeFileSync(file, forged);
  await scene.type("git diff -U1 | tail -n +5", { seat: CLONE });
  await scene.type(`${APPLY} ${MANIFEST}`, { seat: CLONE });
  writeFileSync(file, text);
}

/** An entry as the manifest holds it. */
function entryText(key: string, { version, by, sealed, signature, to }: Entry): string {
  const fields = { version, by, sealed, signature, to };
  return [`    ${key}:`, ...Object.entries(fields).map(([field, value]) => `      ${field}: ${value}`)].join("\n");
}

/** The same entry but for one bit, near the start, where a reader sees it. */
function flipped(entry: Entry): Entry {
  const bytes = Buffer.from(entry.sealed ?? "", "base64");
  bytes.writeUInt8(bytes.readUInt8(FLIPPED_BYTE) ^ 1, FLIPPED_BYTE);
  return { ...entry, sealed: bytes.toString("base64") };
}

/** A value for DB_PASSWORD, sealed for the real environment, signed by a key that no policy names. */
function strangersEntry({ stage }: Scene, secret: ZoppSecret): Entry {
  const file = stage.path(CLONE, "zopp/acme.shop.production.yaml");
  const environment = readEnvironment(parseEnvironment(parse(readFileSync(file, "utf8"), { version: "1.1" })));
  const writing = { environment, signingKey: identityFromSeed(newSeed()).signing, now: new Date() };
  return setEntry(secret, "DB_PASSWORD", utf8("mallory-was-here"), writing);
}

async function takeOver(scene: Scene): Promise<void> {
  const seat = OWN;
  await scene.type(
    "zopp init evil/shop/production --namespace shop-prod --device laptop --recovery-file ../recovery.txt",
    {
      seat,
      lines: 2,
    },
  );
  await scene.type("zopp cluster add eu-1 --yes", { seat });
  await scene.type("printf mallory-was-here | zopp set shop-prod/api DB_PASSWORD", { seat });
  await scene.type("kubectl apply --server-side -R -f zopp", { seat });
  await scene.refused(ZOPP_WORKSPACES, "evil", "NotPinned");
}
