// Errors as gRPC status with google.rpc.ErrorInfo, and back. Only code and message of an error travel; causes stay in the process.
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, isErrorCode, ZoppError } from "../../crds/errors.js";
import type { GrpcStatus } from "../../crds/errors.kinds.js";
import { ErrorInfoSchema } from "../../crds/proto/gen/google/rpc/error_details_pb.js";

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
