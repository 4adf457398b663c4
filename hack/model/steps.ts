// One step of a random history: something happens, the keyring and the model judge it, and they must agree.
import type { ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import { ENVIRONMENTS, type EnvironmentName } from "./cast.js";
import { Random } from "./random.js";
import { seeBundle } from "./reference.bundle.js";
import type { Reasons } from "./reference.js";
import { Scene } from "./scene.js";
import { placeText, rewrite, type Written, write } from "./steps.bundle.js";
import { firstEnvironment, nextEnvironment } from "./steps.environment.js";
import { tamper } from "./steps.tamper.js";
import { firstWorkspace, nextWorkspace } from "./steps.workspace.js";

/** How often each kind of decision was reached, by `workspace PinMismatch`, `bundle accepted: moves`, … */
export type Tally = Map<string, number>;

/** What is said last, so that whoever approves sees that nothing else is lacking; what may still follow it. */
const LAST: Readonly<Record<string, readonly string[]>> = {
  "bundle PendingApproval": ["CannotOpen"],
  "environment PartlySigned": ["ClusterNotNamed", "LedgerLost", "NotServedHere"],
};

/** Keyring and model came to different ends. */
export class Disagreement extends Error {}

/** A history: its policy stands at the beginning, and each step is what its seed makes of it. */
export class Story {
  readonly told: string[] = [];
  readonly #scene = new Scene(new Random(0), firstWorkspace);
  readonly #tally: Tally;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** The first policy comes into force. */
  async begin(): Promise<void> {
    const [first] = this.#scene.workspaces;
    if (first === undefined) throw new TypeError("there is no first workspace");
    await this.#workspace({ what: "the workspace begins", object: first });
    for (const name of Object.keys(ENVIRONMENTS) as EnvironmentName[])
      await this.#environment({ what: `${name} begins`, object: firstEnvironment(this.#scene, name) });
  }

  /** What happens by this seed. Throws Disagreement with all that was told before. */
  async step(seed: number): Promise<void> {
    const scene = this.#scene;
    scene.random = new Random(seed);
    const { random } = scene;
    scene.passes(random.below(8_000));
    const kinds: [number, () => Promise<void>][] = [
      [20, () => this.#workspace(nextWorkspace(scene))],
      [16, () => this.#environment(nextEnvironment(scene))],
      [34, () => this.#bundle(write(scene))],
      [5, () => this.#bundle(rewrite(scene))],
      [30, () => this.#bundle(tamper(scene) ?? write(scene))],
      [3, () => this.#waits()],
      [2, () => this.#restarts()],
      [1, () => this.#losesLog()],
    ];
    await random.weighted(kinds)();
  }

  async #workspace({ what, object }: { readonly what: string; readonly object: ZoppWorkspace }): Promise<void> {
    this.#tell(`workspace ${object.spec.version}: ${what}`);
    const before = this.#scene.model.workspace;
    const reasons = this.#scene.model.seeWorkspace(object);
    const code = await this.#scene.show(object);
    this.#compare("workspace", reasons, code);
    this.#recorded("accept-workspace", code);
    if (code === undefined) {
      this.#count(
        `workspace accepted: ${before?.spec.version === object.spec.version ? "the same" : ownersOf(before, object)}`,
      );
      this.#scene.workspace = object;
    }
    this.#compareForce();
  }

  async #environment({ what, object }: { readonly what: string; readonly object: ZoppEnvironment }): Promise<void> {
    this.#tell(`environment ${object.spec.version}: ${what}`);
    const { name } = object.metadata;
    const before = this.#scene.model.environments.get(name);
    const reasons = this.#scene.model.seeEnvironment(object);
    const code = await this.#scene.show(object);
    this.#compare("environment", reasons, code);
    this.#recorded("accept-environment", code);
    if (code === undefined) {
      this.#count(
        `environment accepted: ${before?.spec.version === object.spec.version ? "the same" : "a new version"}`,
      );
      this.#scene.standing.set(name, object);
    }
    this.#compareForce();
  }

  async #bundle({ what, object }: Written): Promise<void> {
    const scene = this.#scene;
    const place = placeText(object.metadata);
    this.#tell(`bundle ${what}`);
    scene.bundles.push(object);
    const { reasons, released, how } = seeBundle(scene.model, object);
    const opened = await scene.open(object);
    const code = opened.ok ? undefined : opened.error.code;
    this.#compare("bundle", reasons, code);
    this.#recorded("open", code);
    if (opened.ok) {
      for (const way of how) this.#count(`bundle accepted: ${way}`);
      const values = scene.valuesOf(object, opened.keys);
      const expected = released.map((key) => [key, scene.values.get(object.spec.data?.[key]?.sealed ?? "")]);
      this.#same("released values", [...values].sort(), expected.sort());
      scene.good.set(place, object);
    }
    this.#compareLedger(place);
  }

  async #waits(): Promise<void> {
    const hours = this.#scene.random.pick([1, 2, 12, 24, 48, -1]);
    this.#tell(`${hours} hours go by`);
    this.#scene.passes(hours * 3600_000);
  }

  async #restarts(): Promise<void> {
    this.#tell("the keyring starts again");
    this.#scene.restart();
    this.#count("restarted");
    for (const place of this.#scene.model.places.keys()) this.#compareLedger(place);
    this.#compareForce();
  }

  async #losesLog(): Promise<void> {
    if (!this.#scene.random.percent(40)) return;
    this.#tell("log and ledger are deleted");
    this.#scene.loseLog();
    this.#count("log lost");
  }

  #tell(what: string): void {
    this.told.push(`${this.#scene.time.toISOString()} ${what}`);
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }

  #compare(kind: string, reasons: Reasons, code: string | undefined): void {
    const others = [...reasons].filter((reason) => reason !== code);
    const follow = LAST[`${kind} ${code}`];
    const early = follow !== undefined && others.some((other) => !follow.includes(other));
    const agrees = code === undefined ? reasons.size === 0 : (reasons as Set<string>).has(code) && !early;
    if (!agrees) this.#fail(`the keyring says ${code ?? "yes"}, the model ${[...reasons].join(" or ") || "yes"}`);
    if (code !== undefined) this.#count(`${kind} ${code}`);
  }

  /** A refusal is in the log by its reason; so is an acceptance, unless there was nothing new. */
  #recorded(action: string, code: string | undefined): void {
    const { refusals, facts } = this.#scene.keyring;
    const last = code === undefined ? facts.findLast((fact) => fact.action === action) : refusals.at(-1);
    if (last?.action !== action || last.reason !== code) this.#fail(`${action} ${code ?? "accepted"} is not recorded`);
  }

  #compareForce(): void {
    const { model } = this.#scene;
    const environments = [...model.environments].map(([name, { spec }]) => [name, spec.version]);
    this.#same("policy in force", this.#scene.inForce(), { workspace: model.workspace?.spec.version, environments });
  }

  #compareLedger(place: string): void {
    const { keyring, model } = this.#scene;
    const versions = (entries: ReadonlyMap<string, { readonly version: number }> | undefined) =>
      [...(entries ?? [])].map(([key, { version }]) => `${key} ${version}`).sort();
    const [real, known] = [keyring.ledger.place(place), model.places.get(place)];
    this.#same(
      `ledger of ${place}`,
      [real?.environment, real?.header.version, ...versions(real?.entries)],
      [known?.environment, known?.header.version, ...versions(known?.entries)],
    );
  }

  #same(what: string, real: unknown, model: unknown): void {
    const [one, other] = [JSON.stringify(real), JSON.stringify(model)];
    if (one !== other) this.#fail(`${what}: the keyring has ${one}, the model ${other}`);
  }

  #fail(why: string): never {
    throw new Disagreement([why, ...this.told.slice(-40).map((line) => `  ${line}`)].join("\n"));
  }
}

function ownersOf(before: ZoppWorkspace | undefined, { spec }: ZoppWorkspace): string {
  if (before === undefined) return "from the pin";
  const changed = JSON.stringify(before.spec.owners) !== JSON.stringify(spec.owners);
  return changed ? "other owners" : "a new version";
}
