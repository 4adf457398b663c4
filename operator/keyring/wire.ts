// Between our types and the messages: errors as gRPC status with google.rpc.ErrorInfo and back, results of an Open.
// Only code and message of an error travel; causes stay in the process.
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, isErrorCode, ZoppError } from "../../crds/errors.js";
import type { GrpcStatus } from "../../crds/errors.kinds.js";
import { ErrorInfoSchema } from "../../crds/proto/gen/google/rpc/error_details_pb.js";
import type {
  DescribeResponse,
  JoinAsked,
  OpenResult as OpenResultMessage,
  PolicyState as PolicyStateMessage,
  Waiting as WaitingMessage,
} from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { JoinRequest } from "../../crds/types.gen.js";
import type { Description, OpenResult, PolicyState } from "./client.js";
import type { Waiting } from "./generate.js";
import type { Opened } from "./open.js";

const DOMAIN = "zopp.dev";

const CODES: Readonly<Record<GrpcStatus, Code>> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  permission_denied: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  failed_precondition: Code.FailedPrecondition,
  resource_exhausted: Code.ResourceExhausted,
  aborted: Code.Aborted,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  internal: Code.Internal,
};

/** What a caller is told of an error. */
export function toConnectError(error: ZoppError): ConnectError {
  const detail = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason: error.code, domain: DOMAIN }) };
  return new ConnectError(error.message, CODES[error.kind.grpc], undefined, [detail]);
}

/** An error as the header fields of a gRPC answer without a message, with the details that `toConnectError` gives. */
export function statusHeaders(error: ZoppError): Readonly<Record<string, string>> {
  const info = create(ErrorInfoSchema, { reason: error.code, domain: DOMAIN });
  const value = toBinary(ErrorInfoSchema, info);
  const any = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(`type.googleapis.com/${ErrorInfoSchema.typeName}`)
    .tag(2, WireType.LengthDelimited)
    .bytes(value)
    .finish();
  const code = CODES[error.kind.grpc];
  // google.rpc.Status: code, message, details
  const status = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int32(code)
    .tag(2, WireType.LengthDelimited)
    .string(error.message)
    .tag(3, WireType.LengthDelimited)
    .bytes(any)
    .finish();
  return {
    "grpc-status": String(code),
    "grpc-message": encodeURIComponent(error.message),
    "grpc-status-details-bin": Buffer.from(status).toString("base64").replace(/=+$/, ""),
  };
}

/** The error that a keyring sent; one without a reason of ours is the connection's: KeyringUnavailable. */
export function fromConnectError(error: unknown): ZoppError {
  if (error instanceof ZoppError) return error;
  const connect = ConnectError.from(error);
  // this end's own: the connection was not made, or not with the pinned key
  if (connect.cause instanceof ZoppError) return connect.cause;
  const info = connect.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  if (info !== undefined && isErrorCode(info.reason)) return new ZoppError(info.reason, connect.rawMessage);
  const code: ErrorCode = connect.code === Code.ResourceExhausted ? "Overloaded" : "KeyringUnavailable";
  return new ZoppError(code, `the keyring does not answer (${Code[connect.code] ?? "unknown"})`, { cause: error });
}

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
