// Whether events tell what happened, once, and no more often than something happened.
import { EVENTS, type KubeObject } from "../../operator/kube/resources.js";
import type { Testbed } from "../testbed.js";
import type { Found } from "./judge.secrets.js";
import type { Subject } from "./writer.js";

/** An event as it is stored. */
export interface SeenEvent extends KubeObject {
  readonly involvedObject: { readonly kind?: string; readonly name?: string; readonly uid?: string };
  readonly reason: string;
  readonly count?: number;
}

/** Events about what lies in no namespace are told here. */
const OF_NO_NAMESPACE = "default";
const POLICY: readonly string[] = ["ZoppWorkspace", "ZoppEnvironment"];
/**
 * Of a workspace or environment, from its making to its end, each reason at most so often. An event is of a reason, of the object's
 * content and of what of it is in force (operator/controllers/policy.ts), and told once: the content never changes here,
 * and in force is nothing, or just that. One that is made again has another uid.
 */
const MOST_OF_POLICY = 2;

/** Of a bundle, each reason at most once for each time that somebody touched it; of workspace and environments, whatever became of them. */
export async function eventsBounded({ client }: Testbed, subjects: readonly Subject[]): Promise<Found> {
  const namespaces = new Set([OF_NO_NAMESPACE, ...subjects.map(({ place }) => place.namespace)]);
  const events: SeenEvent[] = [];
  for (const namespace of namespaces) events.push(...(await client.list<SeenEvent>(EVENTS, { namespace })).items);
  return judgeEvents(events, subjects);
}

/** The same, of events that were read. */
export function judgeEvents(
  events: readonly SeenEvent[],
  subjects: readonly Pick<Subject, "key" | "touched">[],
): Found {
  const wrong: string[] = [];
  const touched = new Map(subjects.map((subject) => [subject.key, subject.touched]));
  const ofPolicy = events.filter(({ involvedObject }) => POLICY.includes(involvedObject.kind ?? ""));
  const ofBundles = events.filter(({ involvedObject }) => involvedObject.kind === "ZoppSecret");
  for (const { reason, count = 1, involvedObject } of [...ofBundles, ...ofPolicy])
    if (count !== 1) wrong.push(`${involvedObject.name}: ${reason} was told ${count} times as one`);
  let mostOfBundle = 0;
  for (const { about, reason, told } of counted(ofBundles, keyOfEvent)) {
    mostOfBundle = Math.max(mostOfBundle, told);
    const done = touched.get(about) ?? 0;
    if (told > done) wrong.push(`${about}: ${reason} was told ${told} times, and ${done} things were done to it`);
  }
  let mostOfPolicy = 0;
  for (const { about, reason, told } of counted(ofPolicy, lifeOfEvent)) {
    mostOfPolicy = Math.max(mostOfPolicy, told);
    if (told > MOST_OF_POLICY)
      wrong.push(`${about}: ${reason} was told ${told} times, and ${MOST_OF_POLICY} are enough`);
  }
  return {
    wrong,
    said:
      `${ofBundles.length} events, at most ${mostOfBundle} of one bundle and reason; ` +
      `${ofPolicy.length} of workspace and environments, at most ${mostOfPolicy} of one, from its making to its end, and reason`,
  };
}

const keyOfEvent = ({ metadata, involvedObject }: SeenEvent): string => `${metadata.namespace}/${involvedObject.name}`;

const lifeOfEvent = ({ involvedObject: { kind, name, uid } }: SeenEvent): string => `${kind} ${name} of uid ${uid}`;

/** How often each reason was told of each. */
function counted(events: readonly SeenEvent[], aboutOf: (event: SeenEvent) => string) {
  const found = new Map<string, { readonly about: string; readonly reason: string; told: number }>();
  for (const event of events) {
    const [about, { reason }] = [aboutOf(event), event];
    const key = `${about} ${reason}`;
    const seen = found.get(key) ?? { about, reason, told: 0 };
    seen.told += 1;
    found.set(key, seen);
  }
  return found.values();
}
