// A keyring put together: memory, policy, log, enrolments and the calls that they answer.
// Sockets are server.ts; flags, signals and probes are main.ts.
import { randomBytes } from "node:crypto";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import { clusterFingerprint } from "../../crds/fingerprint.js";
import { hasEnded } from "../../crds/policy/versions.js";
import { Keyring as KeyringService } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import { VERSION } from "../../crds/version.js";
import { auditRoutes } from "./audit.js";
import { describe } from "./describe.js";
import { Enrolments } from "./enrol.js";
import { generateValues } from "./generate.js";
import { Joins } from "./joins.js";
import type { KeyringOptions } from "./keyring.types.js";
import { takeOffer } from "./offer.js";
import { openBundles } from "./open.js";
import type { SentBundle } from "./open.types.js";
import { publish } from "./publish.js";
import { readerOf } from "./readers.js";
import type { Fact } from "./records.js";
import { Refusals } from "./refusals.js";
import { Reviews } from "./reviews.js";
import { type Running, remember, run } from "./running.js";
import { type Peer, peerOf } from "./server.js";
import { openInShares } from "./shares.js";
import { SoleWriter } from "./sole.js";
import { Store } from "./store.js";
import { WatchedPolicy } from "./watched.js";
import { plainOf, toOpenResponse, toWaiting } from "./wire.js";
import { wrapKeys } from "./wrap.js";

const MAX_BUNDLES = 64;
/** How often a keyring that is idle looks what its replicas have recorded. */
const LOOK_MS = 10_000;
/** How long a call makes values before it answers with what there is: well within its caller's deadline. */
const MAKING_MS = 2_500;
/** How long a call is decided again and again before its caller hears that other replicas were always first. */
const DECIDING_MS = 8_000;

/** One keyring. `begin` first; then it answers `routes`; `end` writes what waits. */
export class Keyring {
  readonly #options: KeyringOptions;
  readonly #store: Store;
  readonly #enrolments: Enrolments;
  readonly #watched: WatchedPolicy;
  readonly #refusals: Refusals;
  readonly #joins: Joins;
  #parts: Running | null = null;
  readonly #reviews: Reviews;
  #looking: NodeJS.Timeout | undefined;

  constructor(options: KeyringOptions) {
    this.#options = options;
    const { client, namespace, identity, log, metrics } = options;
    this.#refusals = new Refusals(log);
    this.#store = new Store(client, namespace, identity.signing);
    const isWorkload = (account: string) => this.#parts?.book.isWorkload(account) === true;
    this.#enrolments = new Enrolments(client, { ...options.enrol, isWorkload }, () => new Date());
    this.#joins = new Joins({
      workspace: (name) => this.#running().book.workspace(name),
      now: () => new Date(),
      record: (fact) => this.#running().log.append([fact]),
      refuse: (fact) => this.#refusals.noteStranger(this.#running().log, fact, `${fact.reason} ${fact.object}`),
    });
    this.#watched = new WatchedPolicy({ client, log, hooks: metrics.informer });
    this.#reviews = new Reviews(this.#watched, (present) => this.#running().book.review(present));
  }

  /** Reads the memory back, records the start, publishes the keys and begins to follow policy. Throws LogBroken, Api*. */
  async begin(onForked: (error: ZoppError) => void): Promise<void> {
    const { client, namespace, identity } = this.#options;
    const startOf = (id: string): Fact => ({
      action: "start",
      decision: "done",
      actor: "keyring",
      log: id,
      kid: identity.signing.verifyKey.kid,
      request: VERSION,
    });
    const sole = new SoleWriter(client, namespace, identity.signing.verifyKey, this.#options.log);
    const claimed = this.#options.auditKeep === 0 ? undefined : sole;
    const { memory, isNew } = await remember(this.#store, this.#options.log, startOf, claimed);
    const running = run(memory, {
      ...this.#options,
      store: this.#store,
      sole,
      refuse: (audit, fact) => this.#refusals.note(audit, fact),
      review: () => this.#reviews.due(),
    });
    const { log, archive, exported } = running;
    log.on("forked", onForked);
    this.#parts = running;
    // a keyring that was killed may have stored it and not written it out
    exported.lines(await archive.newest());
    if (!isNew) await this.#decided(() => log.append([startOf(memory.end.log)]), Number.POSITIVE_INFINITY);
    const facts = await publish(client, namespace, identity, memory.end.log);
    const { log: id, size: records } = memory.end;
    const fingerprint = clusterFingerprint(facts);
    // `zopp cluster add` shows the same fingerprint: whoever can write the ConfigMap cannot write this line
    this.#options.log.info(
      { log: id, records, fresh: isNew, kid: identity.signing.verifyKey.kid, fingerprint },
      "log opened",
    );
    this.#reviews.start();
    this.#looking = setInterval(() => void log.look(), LOOK_MS);
    this.#looking.unref();
  }

  /** Why nothing can be served; null when it can. */
  notReady(): string | null {
    if (this.#parts === null) return "Starting";
    if (!this.#watched.hasSynced) return "Syncing";
    return this.#parts.book.notReady();
  }

  /** What a key is now: an enrolled workload, a device of a policy in force, or a stranger. */
  identify(key: VerifyKey): Pick<Peer, "role" | "actor"> {
    const enrolment = this.#enrolments.of(key);
    if (enrolment !== null) return { role: enrolment.role, actor: enrolment.actor };
    for (const { roster } of this.#parts?.book.servedWorkspaces() ?? []) {
      const signer = roster.signers.get(key.kid);
      if (signer?.key.text !== key.text || hasEnded(signer.principal.expires, new Date())) continue;
      return { role: "device", actor: `${signer.principal.name}/${signer.device.name}` };
    }
    return { role: "stranger", actor: key.kid };
  }

  /** The calls, for the server. */
  routes(router: ConnectRouter): void {
    router.service(KeyringService, {
      enrol: ({ token }, context) => this.#decided(() => this.#enrol(token, peerOf(context.values))),
      describe: () => this.#describe(),
      open: ({ bundles }, context) => this.#open(bundles, context),
      join: ({ workspace, asked }, { values }) =>
        this.#decided(() => this.#joins.take(workspace, plainOf(asked), peerOf(values))),
      offer: ({ object }, context) => {
        const { book } = this.#running();
        const peer = this.#admitted(context);
        return this.#decided(() => this.#reviews.inTurn(() => takeOffer(object, peer, book)));
      },
      wrap: ({ environment, to }, context) => {
        const { book, log } = this.#running();
        const own = this.#options.identity.encryption;
        const refuse = (fact: Fact) => this.#refuse(fact);
        const peer = this.#admitted(context);
        const options = { book, log, own, now: () => new Date(), refuse };
        return this.#decided(() => wrapKeys({ environment, to }, peer, options));
      },
      generate: ({ bundle, issuers }, context) => {
        // of a call that is overtaken less is made at once, so that it is done before the other one writes again
        let withinMs = MAKING_MS * 4;
        return this.#decided(() => {
          withinMs /= 4;
          return this.#generate(bundle, issuers, context, withinMs);
        });
      },
    });
    auditRoutes(router, () => this.#running());
  }

  /** Stops following policy, writes what waits and a snapshot if much is not in one. */
  async end(): Promise<void> {
    clearInterval(this.#looking);
    await this.#reviews.stop();
    await this.#parts?.log.close();
    this.#parts?.exported.flush();
    // the round that is under way, and one that sees all that was written meanwhile
    for (let round = 0; round < 2; round += 1) await this.#parts?.upkeep.run();
  }

  #refuse(fact: Fact): void {
    this.#refusals.note(this.#running().log, fact);
  }

  async #enrol(token: string, peer: Peer) {
    const { log } = this.#running();
    const enrolment = await this.#enrolments.judge(peer.key, token, peer.address).catch((error: unknown) => {
      if (!(error instanceof ZoppError && error.code === "EnrolmentRefused")) throw error;
      const fact = { action: "enrol", decision: "refused", actor: peer.key.kid, reason: error.code } as const;
      this.#refusals.noteStranger(log, fact, error.message);
      throw error;
    });
    const { key, actor, pod, until } = enrolment;
    await log.append([{ action: "enrol", decision: "done", actor, kid: key.kid, pod, evidence: "proved" }]);
    this.#enrolments.admit(enrolment);
    return { seconds: BigInt(Math.floor((until - Date.now()) / 1000)) };
  }

  #describe() {
    const { log, archive, book } = this.#running();
    const { identity } = this.#options;
    const present = this.#watched.present();
    // before anything is told: the operator writes what is told over what was
    for (const object of present.workspaces) this.#joins.adopt(object);
    const told = { identity, end: log.end, notReady: this.notReady(), book, joins: this.#joins, present };
    return { ...describe(told), checkpoint: archive.checkpoint() };
  }

  async #open(bundles: readonly SentBundle[], context: HandlerContext) {
    if (bundles.length > MAX_BUNDLES)
      throw new ZoppError("TooLarge", `an Open holds ${bundles.length} bundles, the limit is ${MAX_BUNDLES}`);
    const { log, archive, book, memory } = this.#running();
    const peer = this.#admitted(context);
    const reader = readerOf(peer.key, this.#enrolments.of(peer.key));
    const caller = { ...callOf(peer.actor), reader };
    const open = (rest: readonly SentBundle[]) => {
      // of a call that is overtaken less is decided at once, so that it is done before the other one writes again
      let share = rest.length;
      return this.#decided(() => {
        const { turn } = log;
        const some = rest.slice(0, share);
        share = Math.ceil(share / 4);
        return openBundles(some, caller, {
          book,
          ledger: memory.ledger,
          cluster: this.#options.identity.signing.verifyKey,
          now: () => new Date(),
          note: (fact) => log.note(fact, turn),
          durable: () => log.flush(turn),
          upToDate: () => log.upToDate(turn),
          refuse: (fact) => this.#refusals.note(log, fact, peer.actor),
        });
      });
    };
    return openInShares(bundles, open, (opened) => ({
      ...toOpenResponse(opened),
      checkpoint: archive.checkpoint(),
    }));
  }

  async #generate(
    bundle: SentBundle | undefined,
    issuers: readonly SentBundle[],
    context: HandlerContext,
    withinMs: number,
  ) {
    if (bundle === undefined) throw new ZoppError("Malformed", "a request without a bundle");
    const { log, book, memory } = this.#running();
    const { turn } = log;
    const { actor } = this.#admitted(context);
    const { generated, made, waiting } = await generateValues(bundle, callOf(actor), {
      book,
      ledger: memory.ledger,
      cluster: this.#options.identity.signing,
      issuers,
      now: () => new Date(),
      record: (fact) => log.append([fact], turn),
      refuse: (fact) => this.#refuse(fact),
      withinMs,
      signal: context.signal,
    });
    return { generated: utf8(JSON.stringify(generated)), made: [...made], waiting: toWaiting(waiting) };
  }

  /** What was decided on a ledger that a replica has added to meanwhile is decided again, and its caller notices nothing. */
  async #decided<T>(decide: () => Promise<T>, withinMs = DECIDING_MS): Promise<T> {
    const { log } = this.#running();
    const until = performance.now() + withinMs;
    for (;;) {
      const { turn } = log;
      try {
        return await decide();
      } catch (error) {
        const isOvertaken = turn.isOver && error instanceof ZoppError && error.code === "AuditUnavailable";
        if (!isOvertaken || performance.now() > until) throw error;
      }
    }
  }

  /** The caller, unless too much of what it asked for was refused; the operator asks for whatever lies in the API. */
  #admitted({ values }: HandlerContext): Peer {
    const peer = peerOf(values);
    if (peer.role !== "operator") this.#refusals.admit(peer.actor);
    return peer;
  }

  #running() {
    if (this.#parts === null) throw new ZoppError("KeyringUnavailable", "the keyring is starting");
    return this.#parts;
  }
}

/** Who asks, and under which number the records of it are found. */
function callOf(actor: string) {
  return { actor, request: randomBytes(8).toString("hex") };
}
