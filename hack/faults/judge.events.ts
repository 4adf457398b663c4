// Whether events tell what happened, once, and no more often than something happened.
import { EVENTS, type KubeObject } from "../../operator/kube/resources.js";
import type { Testbed } from "../testbed.js";
import type { Found } from "./judge.secrets.js";
import type { Subject } from "./writer.js";

interface SeenEvent extends KubeObject {
  readonly involvedObject: { readonly kind?: string; readonly name?: string };
  readonly reason: string;
  readonly count?: number;
}

/** Of a bundle, each reason at most once for each time that somebody touched it. */
export async function eventsBounded({ client }: Testbed, subjects: readonly Subject[]): Promise<Found> {
  const wrong: string[] = [];
  let [all, most] = [0, 0];
  for (const namespace of new Set(subjects.map(({ place }) => place.namespace))) {
    const { items } = await client.list<SeenEvent>(EVENTS, { namespace });
    const ours = items.filter(({ involvedObject }) => involvedObject.kind === "ZoppSecret");
    all += ours.length;
    for (const { reason, count = 1, involvedObject } of ours)
      if (count !== 1) wrong.push(`${involvedObject.name}: ${reason} was told ${count} times as one`);
    for (const { place, key, touched } of subjects.filter((subject) => subject.place.namespace === namespace)) {
      const reasons = ours
        .filter(({ involvedObject }) => involvedObject.name === place.name)
        .map(({ reason }) => reason);
      for (const reason of new Set(reasons)) {
        const told = reasons.filter((each) => each === reason).length;
        most = Math.max(most, told);
        if (told > touched)
          wrong.push(`${key}: ${reason} was told ${told} times, and ${touched} things were done to it`);
      }
    }
  }
  return { wrong, said: `${all} events, at most ${most} of one bundle and reason` };
}
