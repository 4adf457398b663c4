// The calls of the service Audit: the log for those whom policy grants `audit`, each within its scope.
// What is stored is archive.ts'; how much was recorded when it is asked is the tree's.
import { EventEmitter } from "node:events";
import type { ConnectRouter } from "@connectrpc/connect";
import { isAskedFor, type LoggedRecord, parseRecord, scopeOf } from "../../crds/audit/records.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import { grantsOf, may } from "../../crds/policy/rights.js";
import { hasEnded } from "../../crds/policy/versions.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import {
  Audit,
  type ListRecordsRequest,
  type ProofRequest,
  type RecordFilter,
} from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { Archive } from "./archive.js";
import type { AuditLog } from "./log.js";
import type { PolicyBook } from "./policy.js";
import { type Peer, peerOf } from "./server.js";
import { toConnectError } from "./wire.errors.js";

/** How long a Tail lasts, well below the server's deadline: rights are then asked again, as with any call. */
const TAIL_MS = 20_000;

/** What the calls need of a running keyring. */
export interface AuditParts {
  readonly log: AuditLog;
  readonly archive: Archive;
  readonly book: PolicyBook;
}

/** Adds the service. */
export function auditRoutes(router: ConnectRouter, running: () => AuditParts): void {
  router.service(Audit, {
    list: (request, { values }) => list(running(), peerOf(values), request),
    tail: (request, { values, signal }) => tail(running(), peerOf(values), request, signal),
    proof: async (request, { values }) => {
      await running().log.look();
      auditorOf(running().book, peerOf(values));
      return prove(running().archive, request);
    },
    checkpoint: async (_, { values }) => {
      await running().log.look();
      auditorOf(running().book, peerOf(values));
      return { checkpoint: running().archive.checkpoint() };
    },
  });
}

async function list({ archive, book, log }: AuditParts, peer: Peer, request: ListRecordsRequest) {
  await log.look();
  const sees = auditorOf(book, peer);
  const { first, tree } = archive;
  const from = Math.max(Number(request.from), request.from === 0n ? first : 0);
  const lines = await archive.lines(from);
  const records = lines.flatMap((line, at) => {
    const record = parseRecord(line);
    if (sees(record) && isAskedFor(record, filterOf(request.filter)))
      return [{ index: BigInt(from + at), line, hash: new Uint8Array(0) }];
    const hash = tree.leaf(from + at);
    return request.hashes && hash !== undefined ? [{ index: BigInt(from + at), line: "", hash }] : [];
  });
  const start = request.hashes ? [...tree.startAt(first).hashes] : [];
  const next = BigInt(from + lines.length);
  return { records, next, log: log.end.log, size: BigInt(tree.size), first: BigInt(first), start };
}

async function* tail(parts: AuditParts, peer: Peer, request: ListRecordsRequest, signal: AbortSignal) {
  const until = AbortSignal.any([signal, AbortSignal.timeout(TAIL_MS)]);
  let from = request.from;
  try {
    while (!until.aborted) {
      const page = await list(parts, peer, { ...request, from });
      if (page.next !== from) yield page;
      from = page.next;
      // every message is judged anew, so that a right that ended ends the stream
      if (from >= BigInt(parts.archive.tree.size))
        await EventEmitter.once(parts.log, "stored", { signal: until }).catch(() => {});
    }
  } catch (error) {
    throw toConnectError(asZoppError(error, "the call Tail"));
  }
}

function prove({ tree }: Archive, { of, size: asked }: ProofRequest) {
  const size = asked === 0n ? tree.size : Number(asked);
  try {
    if (of.case === "index") return { hashes: [...tree.inclusionProof(Number(of.value), size)], size: BigInt(size) };
    if (of.case === "from") return { hashes: [...tree.consistencyProof(Number(of.value), size)], size: BigInt(size) };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ZoppError("LogPruned", `this keyring cannot prove that: ${cause.message}`, { cause });
  }
  throw new ZoppError("Malformed", "a proof is of an index, or from a size");
}

function filterOf(filter: RecordFilter | undefined) {
  for (const time of [filter?.since, filter?.until])
    if (time && Number.isNaN(Date.parse(time))) throw new ZoppError("Malformed", "filter: since and until are times");
  return filter ?? {};
}

/**
 * Which records a caller sees; throws NotAuthorised for one without any grant of `audit`. What belongs to no workspace, and
 * what was refused in the name of one that is not served, takes the role on `*` in each workspace that is served.
 */
function auditorOf(book: PolicyBook, { key, actor }: Peer): (record: LoggedRecord) => boolean {
  const now = new Date();
  const served = book.servedWorkspaces();
  const wide = new Map(served.map((workspace) => [workspace.name, seesAll(workspace, key, now)]));
  const paths = new Map<string, boolean>();
  const seesPath = (path: string): boolean => {
    const known = paths.get(path);
    if (known !== undefined) return known;
    const [name = "", ...rest] = path.split("/");
    const workspace = served.find((each) => each.name === name);
    const principal = workspace === undefined ? undefined : principalOf(workspace, key, now);
    const grants = book.environment(path.replaceAll("/", "."))?.environment.object.spec.grants;
    const context = { workspace: workspace?.object.spec, environment: rest.join("/"), grants, now };
    const sees =
      context.workspace !== undefined &&
      principal !== undefined &&
      may({ ...context, workspace: context.workspace }, principal, "audit");
    paths.set(path, sees);
    return sees;
  };
  if (![...wide.values()].includes(true) && !environmentPaths(served).some(seesPath))
    throw new ZoppError("NotAuthorised", `${actor} has no grant of audit in what this keyring serves`);
  return (record) => {
    const { path, workspace } = scopeOf(record);
    const isNobodys = workspace === undefined || (!wide.has(workspace) && record.decision === "refused");
    if (isNobodys) return [...wide.values()].every(Boolean);
    return path === undefined ? wide.get(workspace) === true : seesPath(path);
  };
}

function seesAll(workspace: AcceptedWorkspace, key: VerifyKey, now: Date): boolean {
  const principal = principalOf(workspace, key, now);
  if (principal === undefined) return false;
  // no environment is called so: only grants on * cover it
  const context = { workspace: workspace.object.spec, environment: "", now };
  return grantsOf(context, principal).some(({ role }) => role === "audit");
}

function environmentPaths(served: readonly AcceptedWorkspace[]): readonly string[] {
  return served.flatMap(({ name, object }) => (object.spec.environments ?? []).map((each) => `${name}/${each.name}`));
}

function principalOf({ roster }: AcceptedWorkspace, key: VerifyKey, now: Date): string | undefined {
  const signer = roster.signers.get(key.kid);
  if (signer?.key.text !== key.text || hasEnded(signer.principal.expires, now)) return undefined;
  return signer.principal.name;
}
