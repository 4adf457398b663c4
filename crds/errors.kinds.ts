// What a row of the error table may say: how a code behaves, its gRPC status, its exit code; and short words for the usual rows.
// The codes themselves are errors.ts'.

/** How a code behaves: `terminal` waits for somebody to change something, `transient` is tried again. */
export type Persistence = "terminal" | "transient";

/** Names of the gRPC status codes that zopp uses (grpc.io, status codes). */
export type GrpcStatus =
  | "invalid_argument"
  | "not_found"
  | "permission_denied"
  | "unauthenticated"
  | "failed_precondition"
  | "resource_exhausted"
  | "aborted"
  | "unavailable"
  | "deadline_exceeded"
  | "internal";

/** One row of the table: everything an edge needs to know about a code. */
export interface ErrorKind {
  readonly persistence: Persistence;
  readonly grpc: GrpcStatus;
  /** Exit code of the command line, by class (design: 0 ok, 1 generic, 2 usage, 3 denied …). */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  /** What a person does next; one sentence, no object names. */
  readonly next: string;
}

/** The exit codes by class. */
export const EXIT = {
  generic: 1,
  usage: 2,
  denied: 3,
  notFound: 4,
  invalid: 5,
  cannotOpen: 6,
  conflict: 7,
  unreachable: 8,
} as const;

/** A row for what waits for somebody. */
export function terminal(grpc: GrpcStatus, exit: ErrorKind["exit"], next: string): ErrorKind {
  return { persistence: "terminal", grpc, exit, next };
}

/** A row for what is tried again. */
export function transient(grpc: GrpcStatus, exit: ErrorKind["exit"], next: string): ErrorKind {
  return { persistence: "transient", grpc, exit, next };
}

/** What has not the form that it may have. */
export const invalid = (next: string) => terminal("invalid_argument", EXIT.invalid, next);
/** What somebody may not do. */
export const denied = (next: string) => terminal("permission_denied", EXIT.denied, next);
/** What does not fit what is there. */
export const refused = (next: string) => terminal("failed_precondition", EXIT.conflict, next);
