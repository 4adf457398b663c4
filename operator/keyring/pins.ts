// Which workspaces a keyring serves: those of its trust list, or the first one that appears, and never another.
// Whether a workspace chains from its pin is crds/policy's business.
import { ZoppError } from "../../crds/errors.js";
import { type Pin, parsePin } from "../../crds/policy/pin.js";
import { readWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import type { KubeObject } from "../kube/resources.js";
import type { Ledger } from "./ledger.js";

/** Which workspaces are served: those that are pinned, or the first one. */
export interface Trust {
  readonly pins: readonly Pin[];
  readonly firstUse: boolean;
}

/** The pins of one keyring. */
export class Pins {
  readonly #trust: Trust;
  readonly #ledger: Pick<Ledger, "pins">;

  constructor(trust: Trust, ledger: Pick<Ledger, "pins">) {
    this.#trust = trust;
    this.#ledger = ledger;
  }

  /** The pin of a workspace; undefined when it is not served. */
  of(workspace: string): Pin | undefined {
    if (!this.#trust.firstUse) return this.#trust.pins.find((pin) => pin.workspace === workspace);
    const taken = this.#ledger.pins.get(workspace);
    return taken === undefined ? undefined : parsePin(taken);
  }

  /** True while a first use may still pin a workspace. */
  get awaitsFirst(): boolean {
    return this.#trust.firstUse && this.#ledger.pins.size === 0;
  }

  /** The pin that a first use would take; refuses to choose between two (`all` are the workspaces in the API). */
  firstUse(candidate: ZoppWorkspace, all: readonly KubeObject[]): Pin | undefined {
    if (!this.awaitsFirst) return undefined;
    if (all.length > 1) {
      const names = all.map(({ metadata }) => metadata.name).sort();
      throw new ZoppError("AmbiguousFirstUse", `there are ${names.length} workspaces: ${names.join(", ")}`);
    }
    const { name, ownersDigest, version } = readWorkspace(candidate);
    return { workspace: name, owners: ownersDigest, minVersion: version };
  }
}
