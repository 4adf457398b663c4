// What other hands do to objects: deleted and made again, changed in place, and what an attacker offers instead of what was signed.
// Each leaves the last signed and approved state of its bundle stored, so that its Secret must come to hold that.
import type { ZoppSecret } from "../../crds/types.gen.js";
import { orAbsent } from "../../operator/kube/errors.js";
import {
  NEVER_STORED,
  type Resource,
  SECRETS,
  ZOPP_ENVIRONMENTS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { withValue } from "../fixtures.js";
import type { Random } from "../model/random.js";
import { type FaultKind, insist, type Lift, moment } from "./fault.js";
import { patiently, type Subject, type Writer } from "./writer.js";

/** Who changes Secrets by hand: the judge tells his work by this name. */
export const BY_HAND = "by-hand";

/** What is offered in the place of a bundle that is stored, by whoever may write to the API. */
const OFFERED: Readonly<Record<string, (subject: Subject, random: Random, writer: Writer) => ZoppSecret>> = {
  "whose sealed value was changed": ({ last }) =>
    withEntry(last, "A", { sealed: flip(last.spec.data?.["A"]?.sealed ?? ""), version: nextVersion(last) }),
  "that nobody with the right signed": (subject) => withValue(subject.last, "A", "by ci", subject.writing("ci")),
  "that a stranger signed": (subject) => withValue(subject.last, "A", "by mallory", subject.writing("mallory")),
  "that was replaced since": ({ states }, random) => random.pick(states),
  "that is another one's": ({ last }, random, { subjects }) => ({ ...last, spec: random.pick(subjects).last.spec }),
};

function nextVersion({ spec }: ZoppSecret): number {
  return (spec.data?.["A"]?.version ?? 0) + 1;
}

/** Stores the last signed and approved state again. */
const putBack =
  (writer: Writer, subject: Subject): Lift =>
  () =>
    subject.alone(() => writer.store(subject, subject.last));

function attacks(): FaultKind[] {
  const offered = Object.entries(OFFERED).map(
    ([what, forge]): FaultKind => ({
      title: `somebody stores a bundle ${what}`,
      weight: 2,
      lane: "attack",
      lastsMs: [500, 6_000],
      async begin({ writer }, random) {
        const subject = random.pick(writer.subjects);
        await subject.alone(() => writer.store(subject, forge(subject, random, writer)));
        return putBack(writer, subject);
      },
    }),
  );
  return [...offered, UNAPPROVED];
}

const UNAPPROVED: FaultKind = {
  title: "a change waits for its approval",
  weight: 4,
  lane: "approval",
  lastsMs: [500, 6_000],
  async begin({ writer }, random) {
    const subject = random.pick(writer.subjects.filter(({ asksApproval }) => asksApproval));
    const waiting = () => withValue(subject.last, "A", "nobody approved this", subject.writing());
    await subject.alone(() => writer.store(subject, waiting()));
    return putBack(writer, subject);
  },
};

const OF_SECRETS: readonly FaultKind[] = [
  {
    title: "a Secret is deleted",
    weight: 4,
    lane: "Secrets",
    lastsMs: [0, 0],
    begin: ({ bed, writer }, random) => {
      const subject = random.pick(writer.subjects);
      return atOnce(subject, () => orAbsent(bed.client.delete(SECRETS, subject.place)));
    },
  },
  {
    title: "a Secret is changed by hand",
    weight: 4,
    lane: "Secrets",
    lastsMs: [0, 0],
    begin: ({ bed, writer }, random) => {
      const subject = random.pick(writer.subjects);
      const data = { A: Buffer.from("changed by hand").toString("base64") };
      return atOnce(subject, async () => {
        const { metadata } = await bed.client.get(SECRETS, subject.place, { metadataOnly: true });
        // this very one: if it is deleted meanwhile none is made in its place
        const changed = { metadata: { ...subject.place, uid: metadata.uid ?? "" }, data };
        await bed.client.apply(SECRETS, changed, { fieldManager: BY_HAND, force: true });
      });
    },
  },
  {
    title: "a Secret is replaced by somebody else's of the same name",
    weight: 3,
    lane: "Secrets",
    lastsMs: [500, 5_000],
    async begin({ bed, writer }, random) {
      const subject = random.pick(writer.subjects);
      const metadata = { ...subject.place, resourceVersion: NEVER_STORED };
      const foreign = { metadata, data: { OTHER: Buffer.from("somebody else's").toString("base64") } };
      await atOnce(subject, async () => {
        await orAbsent(bed.client.delete(SECRETS, subject.place));
        await bed.client.apply(SECRETS, foreign, { fieldManager: BY_HAND, force: true });
      });
      return async () => {
        await patiently(() => orAbsent(bed.client.delete(SECRETS, subject.place)));
        // a Secret that is not ours is looked at every five minutes, or when the bundle changes
        await writer.change(subject);
      };
    },
  },
];

async function atOnce(subject: Subject, act: () => Promise<unknown>): Promise<Lift> {
  subject.touched += 1;
  await patiently(act);
  return moment;
}

const OF_BUNDLES: readonly FaultKind[] = [
  {
    title: "a bundle is deleted and made again",
    weight: 4,
    lane: "bundle",
    lastsMs: [0, 0],
    begin: ({ writer }, random) => anew(writer, random.pick(writer.subjects), ({ last }) => last),
  },
  {
    title: "a bundle is deleted and an older one made in its place",
    weight: 3,
    lane: "bundle",
    lastsMs: [1_000, 6_000],
    async begin({ writer }, random) {
      const subject = random.pick(writer.subjects);
      await anew(writer, subject, ({ states }) => random.pick(states));
      return putBack(writer, subject);
    },
  },
];

async function anew(writer: Writer, subject: Subject, which: (subject: Subject) => ZoppSecret): Promise<Lift> {
  await subject.alone(async () => {
    await writer.remove(subject);
    await writer.store(subject, which(subject));
  });
  return moment;
}

function policy(what: string, resource: Resource, name: string): FaultKind {
  return {
    title: `the ${what} is deleted, and comes again`,
    weight: 2,
    lane: what,
    lastsMs: [200, 5_000],
    async begin({ bed }) {
      const object = resource === ZOPP_WORKSPACES ? bed.workspace : bed.environment.object;
      await insist(() => orAbsent(bed.client.delete(resource, { name })));
      return () => insist(() => bed.apply(resource, object));
    },
  };
}

export const OF_OBJECTS: readonly FaultKind[] = [
  ...attacks(),
  ...OF_SECRETS,
  ...OF_BUNDLES,
  policy("environment", ZOPP_ENVIRONMENTS, "acme.shop.production"),
  policy("workspace", ZOPP_WORKSPACES, "acme"),
];
