// Between our types and the messages: what is opened, generated and described. Errors are wire.errors.ts'.
import { isErrorCode, ZoppError } from "../../crds/errors.js";
import type {
  DescribeResponse,
  JoinAsked,
  OpenResult as OpenResultMessage,
  PolicyState as PolicyStateMessage,
  Waiting as WaitingMessage,
} from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { JoinRequest } from "../../crds/types.gen.js";
import type { Description, OpenResult, PolicyState, Waiting } from "./client.types.js";
import type { Opened } from "./open.types.js";

/** The answer to an Open. */
export function toOpenResponse(opened: readonly Opened[]) {
  return { results: opened.map(toOpenResult) };
}

function toOpenResult(opened: Opened) {
  const policy = [...opened.policy];
  if (!opened.ok) return { policy, refusedCode: opened.error.code, refusedMessage: opened.error.message };
  const warnings = opened.warnings.map(({ code, message }) => ({ code, message }));
  return { digest: opened.digest, keys: Object.fromEntries(opened.keys), policy, warnings };
}

/** What an OpenResult says; the checkpoint is that of the whole answer. */
export function fromOpenResult(message: OpenResultMessage, checkpoint: string): OpenResult {
  const { digest, keys, policy, refusedCode, refusedMessage, warnings } = message;
  if (refusedCode !== "") return { ok: false, error: errorOf(refusedCode, refusedMessage), policy };
  const texts = warnings.map(({ code, message: text }) => `${code}: ${text}`);
  return { ok: true, digest, policy, keys: new Map(Object.entries(keys)), warnings: texts, checkpoint };
}

/** Rules whose values wait, for a GenerateResponse. */
export function toWaiting(waiting: readonly Waiting[]) {
  return waiting.map(({ key, error }) => ({ key, code: error.code, message: error.message }));
}

/** What a GenerateResponse says of them. */
export function fromWaiting(waiting: readonly WaitingMessage[]): readonly Waiting[] {
  return waiting.map(({ key, code, message }) => ({ key, error: errorOf(code, message) }));
}

/** What a DescribeResponse says. */
export function fromDescribeResponse(message: DescribeResponse): Description {
  const { signingKey, encryptionKey, log, notReady, workspaces, environments, baselines } = message;
  return {
    cluster: { signingKey, encryptionKey, log },
    ready: notReady === "",
    ...(notReady === "" ? {} : { reason: notReady }),
    workspaces: workspaces.map(stateOf),
    environments: environments.map(stateOf),
    baselines: baselines.map(stateOf),
  };
}

function stateOf(state: PolicyStateMessage): PolicyState {
  const { name, uid, generation, acceptedVersion, acceptedDigest, refusedCode, refusedMessage, approvals } = state;
  const { code, message } = errorOf(refusedCode, refusedMessage);
  const joinRequests = state.joinRequests.map((asked) => plainOf(asked));
  return {
    name,
    uid,
    generation: Number(generation),
    approvals,
    ...(joinRequests.length === 0 ? {} : { joinRequests }),
    ...(acceptedDigest === "" ? {} : { accepted: { version: Number(acceptedVersion), digest: acceptedDigest } }),
    ...(refusedCode === "" ? {} : { refused: { code, message } }),
  };
}

/** The fields of a join request; undefined where a message has none. */
export function plainOf(asked: JoinAsked): JoinRequest;
export function plainOf(asked: JoinAsked | undefined): JoinRequest | undefined;
export function plainOf(asked: JoinAsked | undefined): JoinRequest | undefined {
  if (asked === undefined) return undefined;
  const { $typeName: _, $unknown: __, ...request } = asked;
  return request;
}

/** A code that this version does not know is no reason to fail twice. */
function errorOf(code: string, message: string): ZoppError {
  return new ZoppError(isErrorCode(code) ? code : "Internal", message);
}
