// A person who changes signed values all the time, and remembers each state that was signed and, where it is asked for, approved.
// What others do to these bundles goes through here too, so that no two of us write one bundle at once.
import { setTimeout as sleep } from "node:timers/promises";
import { approveParts } from "../../crds/bundle/approve.js";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { Turns } from "../../operator/keyring/turns.js";
import { orAbsent } from "../../operator/kube/errors.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { bundle, identityOf, withValue, writingBy } from "../fixtures.js";
import type { Random } from "../model/random.js";
import type { Testbed } from "../testbed.js";

/** What every Secret holds beside the value that changes. */
export const FIXED = { B: "fixed" } as const;
const PATIENCE_MS = 240_000;

/** One bundle, and every state of it that a workload may see. */
export class Subject {
  readonly environment: AcceptedEnvironment;
  readonly place: { readonly namespace: string; readonly name: string };
  /** Signed and approved, oldest first: the value of `A` in the n-th is `state-n`. */
  readonly states: ZoppSecret[] = [];
  /** How often anybody wrote the bundle, or its Secret without being the operator. */
  touched = 0;
  readonly #turns = new Turns();

  constructor(environment: AcceptedEnvironment, place: Subject["place"]) {
    this.environment = environment;
    this.place = place;
  }

  get key(): string {
    return `${this.place.namespace}/${this.place.name}`;
  }

  /** The newest signed and approved one. */
  get last(): ZoppSecret {
    const last = this.states.at(-1);
    if (last === undefined) throw new TypeError(`${this.key} was not written yet`);
    return last;
  }

  writing(by = "alice") {
    return writingBy(by, this.environment, new Date());
  }

  /** What carol adds where the environment asks for it. */
  approved(secret: ZoppSecret, header: boolean, keys: readonly string[]): ZoppSecret {
    if (!this.asksApproval) return secret;
    return approveParts(
      secret,
      { header, keys },
      { environment: this.environment, signingKey: identityOf("carol").signing },
    );
  }

  get asksApproval(): boolean {
    return this.environment.object.spec.environment === "guarded";
  }

  /** Signs the next state, approved where that is asked for: from now on its Secret may hold it. */
  next(): ZoppSecret {
    const value = `state-${this.states.length}`;
    const next =
      this.states.length === 0
        ? this.approved(bundle(this.environment, { A: value, ...FIXED }, { ...this.place, now: new Date() }), true, [
            "A",
            "B",
          ])
        : this.approved(withValue(this.last, "A", value, this.writing()), false, ["A"]);
    this.states.push(next);
    return next;
  }

  /** One after the other. */
  alone<T>(act: () => Promise<T>): Promise<T> {
    return this.#turns.next(act);
  }
}

/** Writes the bundles of a run, past all proxies: whoever signs is not who is tested. */
export class Writer {
  readonly subjects: readonly Subject[];
  readonly #bed: Testbed;
  readonly #random: Random;
  #changes = 0;

  constructor(bed: Testbed, subjects: readonly Subject[], random: Random) {
    this.#bed = bed;
    this.subjects = subjects;
    this.#random = random;
  }

  get changes(): number {
    return this.#changes;
  }

  /** Signs a new state of a bundle and stores it, however long the API server takes. */
  change(subject: Subject): Promise<void> {
    return subject.alone(async () => {
      await this.store(subject, subject.next());
      this.#changes += 1;
    });
  }

  /** Stores what is given, whoever signed it; call it in the subject's turn. */
  async store(subject: Subject, secret: ZoppSecret): Promise<void> {
    subject.touched += 1;
    await patiently(() => this.#bed.client.apply(ZOPP_SECRETS, secret, { fieldManager: "faults", force: true }));
  }

  /** Deletes the bundle; call it in the subject's turn. */
  async remove(subject: Subject): Promise<void> {
    subject.touched += 1;
    await patiently(() => orAbsent(this.#bed.client.delete(ZOPP_SECRETS, subject.place)));
  }

  /** Changes one value after the other, so many in a second, until it is over. */
  async run(perSecond: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const [began, subject] = [performance.now(), this.#random.pick(this.subjects)];
      await this.change(subject);
      await sleep(Math.max(0, began + 1000 / perSecond - performance.now()));
    }
  }
}

/** Until the API server does it. */
export async function patiently(act: () => Promise<unknown>): Promise<void> {
  const done = () => act().then(() => true);
  await eventually(done, { timeoutMs: PATIENCE_MS, message: "the API server does what it is asked" });
}
