// Join requests that wait to be signed into policy: taken from strangers, recorded, kept and told in Describe.
// They admit nobody. What was told is found again in the workspace's status after a restart: it proves itself.
import { ZoppError } from "../../crds/errors.js";
import { type GoodRequest, judgeJoin, readJoinRequest } from "../../crds/policy/joining.js";
import { hasEnded } from "../../crds/policy/versions.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { JoinRequest } from "../../crds/types.gen.js";
import type { KubeObject } from "../kube/resources.js";
import type { Fact } from "./records.js";
import type { Peer } from "./server.js";

/** As many as a workspace's status holds, and as many of one invite: whoever copied a code must not keep others out. */
const MAX_REQUESTS = 64;
const MAX_OF_INVITE = 4;

/** What joins need of the rest of the keyring. */
export interface JoinsOptions {
  /** A workspace in force, by name. */
  workspace(name: string): AcceptedWorkspace | undefined;
  now(): Date;
  /** Makes a fact durable. */
  record(fact: Fact): Promise<void>;
  /** Notes a refusal in the log, once. */
  refuse(fact: Fact): void;
}

/** A request and the digest of the policy that it is good by. */
interface Waiting extends GoodRequest {
  readonly by: string;
}

/** The requests that wait, by workspace and by the hash of what they ask. */
export class Joins {
  readonly #options: JoinsOptions;
  readonly #waiting = new Map<string, Map<string, Waiting>>();
  /** What is being recorded: it has its place already, or as many as ask at once would all find room. */
  readonly #recording = new Set<{ readonly name: string; readonly invite: string }>();

  constructor(options: JoinsOptions) {
    this.#options = options;
  }

  /** Takes a request of a device that calls by itself; the answer is empty. Throws Malformed, JoinRefused, InviteContested, AuditUnavailable. */
  async take(name: string, value: unknown, peer: Pick<Peer, "key" | "actor">): Promise<object> {
    const { workspace: find, record, refuse } = this.#options;
    const workspace = find(name);
    const request = readJoinRequest(value);
    const known = workspace?.object.spec.invites?.some((invite) => invite.name === request.invite) ?? false;
    // what is not in policy is a stranger's word, and no text for the log
    const object = workspace === undefined ? undefined : known ? `${name}/${request.invite}` : name;
    const place = { name, invite: request.invite };
    const fact = { action: "join", actor: peer.actor, kid: peer.key.kid, evidence: "proved", object } as const;
    try {
      const good = this.#judge(workspace, request, peer);
      this.of(name);
      if (this.#waiting.get(name)?.has(good.hash) === true) return {};
      this.#refuseTooMany(place);
      this.#recording.add(place);
      await record({ ...fact, decision: "done", digest: good.hash });
      this.#keep(name, good);
      return {};
    } catch (error) {
      if (error instanceof ZoppError) refuse({ ...fact, decision: "refused", reason: error.code });
      throw error;
    } finally {
      this.#recording.delete(place);
    }
  }

  /** Requests of a workspace that an owner could admit now. */
  of(name: string): readonly JoinRequest[] {
    const waiting = this.#waiting.get(name) ?? new Map<string, Waiting>();
    const workspace = this.#options.workspace(name);
    for (const [hash, { by, invite, request }] of waiting) {
      if (by === workspace?.digest && !hasEnded(invite.expires, this.#options.now())) continue;
      const still = this.#ifGood(workspace, request);
      if (still === undefined) waiting.delete(hash);
      else waiting.set(hash, still);
    }
    return [...waiting.values()].map(({ request }) => request);
  }

  /** Takes back what was told before a restart, as far as it still proves itself. */
  adopt({ metadata: { name }, ...rest }: KubeObject): void {
    const { status } = rest as { readonly status?: { readonly joinRequests?: readonly unknown[] } };
    const workspace = this.#options.workspace(name);
    if (workspace === undefined) return;
    const told = new Set([...(this.#waiting.get(name)?.values() ?? [])].map(({ request }) => request.signature));
    for (const request of status?.joinRequests ?? []) {
      if (told.has((request as Partial<JoinRequest> | null)?.signature ?? "")) continue;
      const good = this.#ifGood(workspace, request);
      if (good !== undefined && (this.#waiting.get(name)?.size ?? 0) < MAX_REQUESTS) this.#keep(name, good);
    }
  }

  #ifGood(workspace: AcceptedWorkspace | undefined, value: unknown): Waiting | undefined {
    try {
      return this.#judge(workspace, readJoinRequest(value));
    } catch (error) {
      if (error instanceof ZoppError) return undefined;
      throw error;
    }
  }

  #judge(workspace: AcceptedWorkspace | undefined, request: JoinRequest, peer?: Pick<Peer, "key">): Waiting {
    if (workspace === undefined) throw new ZoppError("NotPinned", "that workspace is not in force in this keyring");
    if (peer !== undefined && peer.key.text !== request.signingKey)
      throw new ZoppError("JoinRefused", "a join request comes from the device itself: another key has sent this one");
    return { ...judgeJoin(workspace, request, this.#options.now()), by: workspace.digest };
  }

  #refuseTooMany({ name, invite }: { readonly name: string; readonly invite: string }): void {
    const recording = [...this.#recording].filter((other) => other.name === name);
    const waiting = [...this.of(name), ...recording];
    const ofInvite = waiting.filter((other) => other.invite === invite).length;
    if (ofInvite < MAX_OF_INVITE && waiting.length < MAX_REQUESTS) return;
    throw new ZoppError(
      "InviteContested",
      `workspace ${name}: too many requests wait already (${ofInvite} of ${invite})`,
    );
  }

  #keep(name: string, good: Waiting): void {
    const waiting = this.#waiting.get(name) ?? new Map<string, Waiting>();
    this.#waiting.set(name, waiting.set(good.hash, good));
  }
}
