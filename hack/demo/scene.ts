// Owns playing: typing a command and showing what it prints, checking that something is so, looking at the cluster.
// Does not own the story.

import type { ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { type KubeObject, type Resource, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import type { Narrator } from "./narrate.js";
import { ALICE, type Seat, type Stage } from "./stage.js";

/** The bundle that the story is about; its Secret has the same place. */
export const PLACE = { namespace: "shop-prod", name: "api" } as const;

/** Where an object lies. */
export interface ScenePlace {
  readonly namespace: string;
  readonly name: string;
}

/** How a command line is typed and shown. */
export interface TypeOptions {
  readonly seat?: Seat;
  /** The most lines of output that are shown; 0 = none. */
  readonly lines?: number;
}

/** A Secret as it was seen: equal texts = it was not written in between. */
export interface SeenSecret {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly values: Readonly<Record<string, string>>;
}

/** Thrown when something is not as the story tells. */
export class NotAsTold extends Error {
  override readonly name = "NotAsTold";
}

/** One demo being played. */
export class Scene {
  readonly stage: Stage;
  readonly narrator: Narrator;

  constructor({ stage, narrator }: { stage: Stage; narrator: Narrator }) {
    this.stage = stage;
    this.narrator = narrator;
  }

  /** Types a command line, shows what it prints and gives that. Throws NotAsTold when it fails. */
  async type(line: string, { seat = ALICE, lines }: TypeOptions = {}): Promise<string> {
    this.narrator.command(line, `${seat.person}:${seat.folder}`);
    const { code, text } = await this.stage.shell(line, seat);
    if (lines !== 0 || code !== 0) this.narrator.output(text, lines);
    if (code !== 0) throw new NotAsTold(`the command ended with ${code}`);
    return text;
  }

  /** A check mark for what is so. Throws NotAsTold for what is not. */
  check(so: boolean, text: string): void {
    if (!so) throw new NotAsTold(text);
    this.narrator.check(text);
  }

  /** Waits until it is so; then a check mark. Throws NotAsTold when it never is. */
  async becomes(text: string, ask: () => Promise<boolean>): Promise<void> {
    try {
      await eventually(ask, { message: text });
    } catch (cause) {
      throw new NotAsTold(`${text}: ${(cause as Error).message}`, { cause });
    }
    this.narrator.check(text);
  }

  /** Asks a probe of a process until it answers so (`503 NoPolicy`: it may still be starting), and shows the answer. */
  async probe(port: number, path: string, wanted: string): Promise<void> {
    const url = `http://127.0.0.1:${port}${path}`;
    let text = "no answer";
    const asked = async () => {
      const answer = await fetch(url);
      text = `${answer.status} ${(await answer.text()).trim()}`;
      return text === wanted;
    };
    await eventually(asked).catch(() => undefined);
    this.narrator.output(`GET ${url}  →  ${text}`);
    if (text !== wanted) throw new NotAsTold(`${path} says ${text}, not ${wanted}`);
  }

  /** Waits until Ready of a bundle's present generation has this reason; gives its message. Throws NotAsTold. */
  async settled(reason: string, place: ScenePlace = PLACE): Promise<string> {
    const waiting = async () => {
      for (const child of this.stage.children) child.refuseDead();
      const found = await this.stage.client.get<ZoppSecret>(ZOPP_SECRETS, place);
      const ready = readyOf(found.status);
      if (ready?.reason === reason && ready.observedGeneration === found.metadata.generation) return ready;
      throw new NotAsTold(`${place.namespace}/${place.name} is ${ready?.reason}, not ${reason}: ${ready?.message}`);
    };
    const { message = "" } = await eventually(waiting);
    return message;
  }

  /** Waits until a policy object says in its status that it is refused for this reason. */
  async refused(resource: Resource, name: string, reason: string): Promise<void> {
    await eventually(
      async () => {
        const { status } = await this.stage.client.get<ZoppWorkspace>(resource, { name });
        return readyOf(status)?.reason === reason;
      },
      { message: `${name} is ${reason}` },
    );
  }

  /** The Secret of a bundle, its values as text; undefined where there is none. */
  async secret(place: ScenePlace = PLACE): Promise<SeenSecret | undefined> {
    const { items } = await this.stage.client.list<KubeObject & { data?: Record<string, string> }>(SECRETS, {
      namespace: place.namespace,
      fieldSelector: `metadata.name=${place.name}`,
    });
    const [found] = items;
    if (found === undefined) return undefined;
    const { uid = "", resourceVersion = "" } = found.metadata;
    const texts = Object.entries(found.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString(),
    ]);
    return { uid, resourceVersion, values: Object.fromEntries(texts) };
  }
}
