// What is done to bundles by people who can write to the API but not sign for it, and by signers who overreach: replays,
// mixtures, moves, changed bytes, copied approvals, forbidden targets, other environments.
import type { ZoppSecret } from "../../crds/types.gen.js";
import { ENVIRONMENTS, type EnvironmentName, KEYS, PLACES, type Signer } from "./cast.js";
import type { Place } from "./claims.js";
import { entryOf, type Scene } from "./scene.js";
import {
  approved,
  environmentAt,
  environmentFor,
  Pen,
  placeText,
  type Written,
  withEntry,
  writer,
} from "./steps.bundle.js";

type Tampering = (scene: Scene, secret: ZoppSecret) => Written | undefined;

function keysOf(secret: ZoppSecret): readonly string[] {
  return Object.keys(secret.spec.data ?? {});
}

function othersAt(scene: Scene, { metadata }: ZoppSecret): readonly ZoppSecret[] {
  return scene.bundles.filter((one) => placeText(one.metadata) === placeText(metadata));
}

const replay: Tampering = (scene, secret) => ({
  what: "an older bundle again",
  object: scene.random.pick(othersAt(scene, secret)),
});

const replayEntry: Tampering = (scene, secret) => {
  const { random } = scene;
  const older = random.pick(othersAt(scene, secret));
  const keys = keysOf(older);
  if (keys.length === 0) return undefined;
  const key = random.pick(keys);
  return { what: `an older ${key} in the present bundle`, object: withEntry(secret, key, entryOf(older, key)) };
};

const replayHeader: Tampering = (scene, secret) => {
  const { data: _, ...older } = scene.random.pick(othersAt(scene, secret)).spec;
  return {
    what: "an older header over the present entries",
    object: { ...secret, spec: { ...older, ...dataOf(secret) } },
  };
};

function dataOf({ spec }: ZoppSecret): Pick<ZoppSecret["spec"], "data"> {
  return spec.data === undefined ? {} : { data: spec.data };
}

const otherKey: Tampering = (scene, secret) => {
  const keys = keysOf(secret);
  if (keys.length === 0) return undefined;
  const [from, to] = [scene.random.pick(keys), scene.random.pick(KEYS)];
  return { what: `${from} copied to ${to}`, object: withEntry(secret, to, entryOf(secret, from)) };
};

const otherBundle: Tampering = (scene, secret) => {
  const { random } = scene;
  const from = random.pick(scene.bundles);
  const keys = keysOf(from);
  if (keys.length === 0) return undefined;
  const key = random.pick(keys);
  return { what: `${key} copied from ${placeText(from.metadata)}`, object: withEntry(secret, key, entryOf(from, key)) };
};

const moved: Tampering = (scene, secret) => {
  const { random } = scene;
  const place: Place = random.pick([
    ...PLACES,
    { namespace: "shop-dev-2", name: "api" },
    { namespace: "kube-system", name: "api" },
  ]);
  return { what: `moved to ${placeText(place)}`, object: { ...secret, metadata: { ...place } } };
};

const vanished: Tampering = (scene, secret) => {
  const keys = keysOf(secret);
  if (keys.length === 0) return undefined;
  const key = scene.random.pick(keys);
  const { [key]: _, ...data } = secret.spec.data ?? {};
  return { what: `without ${key}`, object: { ...secret, spec: { ...secret.spec, data } } };
};

const changedByte: Tampering = (scene, secret) => {
  const { random } = scene;
  const keys = keysOf(secret).filter((key) => entryOf(secret, key).sealed !== undefined);
  if (keys.length === 0) return undefined;
  const key = random.pick(keys);
  const entry = entryOf(secret, key);
  const bytes = Buffer.from(entry.sealed ?? "", "base64");
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  const changes = random.pick([
    { sealed: bytes.toString("base64") },
    { version: entry.version + 1 },
    { expires: scene.inHours(1) },
    { by: secret.spec.header.by },
    { signature: secret.spec.header.signature },
  ]);
  const word = Object.keys(changes).join();
  return { what: `${key} with another ${word}, not signed`, object: withEntry(secret, key, { ...entry, ...changes }) };
};

const changedHeader: Tampering = (scene, secret) => {
  const changes = scene.random.pick([
    { target: { name: "stolen" } },
    { restart: "none" as const },
    { render: { X: "[[ A ]]" } },
  ]);
  return { what: "with another header, not signed", object: { ...secret, spec: { ...secret.spec, ...changes } } };
};

const copiedApproval: Tampering = (scene, secret) => {
  const { random } = scene;
  const donors = scene.bundles.flatMap((one) => [one.spec.header, ...keysOf(one).map((key) => entryOf(one, key))]);
  const approvals = donors.flatMap((part) => (part.approvals === undefined ? [] : [part.approvals]));
  const keys = keysOf(secret);
  if (approvals.length === 0 || keys.length === 0) return undefined;
  const environment = environmentFor(scene, environmentAt(scene, secret.metadata));
  const key = random.pick(keys);
  const changed = new Pen(scene, environment).set(secret, key, writer(scene, environment, key));
  const entry = { ...entryOf(changed, key), approvals: random.pick(approvals) };
  return { what: `${key} set, with an approval that was copied`, object: withEntry(changed, key, entry) };
};

const forbidden: Tampering = (scene, secret) => {
  const { random } = scene;
  const environment = environmentFor(scene, environmentAt(scene, secret.metadata));
  const target = random.pick([
    { type: "kubernetes.io/service-account-token" },
    { type: "bootstrap.kubernetes.io/token" },
    { type: "helm.sh/release.v1" },
    { annotations: { "kubernetes.io/service-account.name": "admin" } },
    { labels: { "zopp.dev/bundle": "other" } },
    { type: "example.com/thing" },
    { type: "kubernetes.io/tls" },
  ]);
  const pen = new Pen(scene, environment);
  const object = pen.header(secret, { target }, writer(scene, environment));
  return { what: `asks for ${JSON.stringify(target)}`, object: approved(scene, pen, object, environment) };
};

const otherEnvironment: Tampering = (scene, secret) => {
  const { random } = scene;
  const names = Object.keys(ENVIRONMENTS) as EnvironmentName[];
  const name = random.percent(60) ? environmentAt(scene, secret.metadata) : random.pick(names);
  const environment = environmentFor(scene, name);
  const pen = new Pen(scene, environment);
  const able: Signer = random.percent(40) ? { person: "alice", device: "laptop" } : writer(scene, environment);
  const place = { ...secret.metadata, namespace: random.percent(70) ? secret.metadata.namespace : ENVIRONMENTS[name] };
  const there = { ...secret, metadata: place };
  const headed = pen.header(there, { environment: `acme/shop/${name}` }, able);
  const object = keysOf(headed).reduce((one, key) => pen.set(one, key, able), headed);
  return { what: `made to belong to ${name} by ${able.person}`, object: approved(scene, pen, object, environment) };
};

const nobodys: Tampering = (scene, secret) => {
  const changes = scene.random.pick([
    { environment: "evil/shop/production" },
    { environment: "acme/shop/staging" },
    { extra: 1 },
  ]);
  return { what: `with ${JSON.stringify(changes)}`, object: { ...secret, spec: { ...secret.spec, ...changes } } };
};

const TAMPERINGS: readonly (readonly [number, Tampering])[] = [
  [8, replay],
  [9, replayEntry],
  [4, replayHeader],
  [4, otherKey],
  [4, otherBundle],
  [4, moved],
  [6, vanished],
  [6, changedByte],
  [3, changedHeader],
  [6, copiedApproval],
  [4, forbidden],
  [8, otherEnvironment],
  [2, nobodys],
  [10, (_, secret) => ({ what: "the same again", object: secret })],
];

/** Something is done to a bundle that is there; nothing before the first one. */
export function tamper(scene: Scene): Written | undefined {
  const good = [...scene.good.values()];
  if (good.length === 0) return undefined;
  const secret = scene.random.pick(good);
  const done = scene.random.weighted(TAMPERINGS)(scene, secret);
  return done === undefined ? undefined : { ...done, what: `${placeText(secret.metadata)}: ${done.what}` };
}
