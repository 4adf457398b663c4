// What the API server's answers mean to zopp: HTTP status and `reason` to one ZoppError.
// Never keeps the answer's message: it can quote the object that was refused, values included.

import { type ErrorCode, type FieldProblem, ZoppError } from "../../crds/errors.js";

/** What a caller may learn about a failed request; the `cause` of every error thrown by this folder. */
export interface ApiFailure {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The Status object's `reason` (Conflict, AlreadyExists, Expired …), or the socket's error code. */
  readonly reason: string;
  /** How long the server asks to wait before the next attempt. */
  readonly retryAfterMs?: number;
}

const REASON = /^[A-Za-z0-9_]{1,64}$/;
const FIELD_PATH = /^[\x21-\x7e]{1,300}$/;
const MAX_FIELDS = 20;
const MAX_RETRY_AFTER_MS = 300_000;

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "ApiRefused";
  if (status === 404) return "NotFound";
  if (status === 409 || status === 410) return "ApiConflict";
  if (status === 429 || status === 503) return "Overloaded";
  if (status >= 400 && status < 500) return "ApiInvalid";
  return "ApiUnreachable";
}

/** The error for an answer. `action` says what was tried on which object: "apply secrets shop/api". */
export function apiError(action: string, status: number, body: unknown, retryAfter?: string): ZoppError {
  const answer = isRecord(body) ? body : {};
  const reason = typeof answer.reason === "string" && REASON.test(answer.reason) ? answer.reason : "Unknown";
  const details = isRecord(answer.details) ? answer.details : {};
  const retryAfterMs = parseRetryAfter(retryAfter, details.retryAfterSeconds);
  const fields = fieldsOf(details.causes);
  const where = fields.length === 0 ? "" : ` at ${fields.map((field) => field.path).join(", ")}`;
  const failure: ApiFailure = { status, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new ZoppError(codeOf(status), `cannot ${action}: the api server answered ${status} ${reason}${where}`, {
    cause: failure,
    fields,
  });
}

/** The error for a request that got no answer: refused, cut, timed out, aborted. */
export function unreachable(action: string, error: unknown): ZoppError {
  const failure: ApiFailure = { status: 0, reason: socketReason(error) };
  return new ZoppError("ApiUnreachable", `cannot ${action}: no answer from the api server (${failure.reason})`, {
    cause: failure,
  });
}

/** What the API server answered, or null for an error that did not come from a request. */
export function apiStatus(error: unknown): ApiFailure | null {
  if (!(error instanceof ZoppError) || !isRecord(error.cause)) return null;
  const { status, reason } = error.cause;
  return typeof status === "number" && typeof reason === "string" ? (error.cause as unknown as ApiFailure) : null;
}

/** True for an error that carries this HTTP status. */
export function hasStatus(error: unknown, status: number): boolean {
  return apiStatus(error)?.status === status;
}

/** What was asked for, or undefined where the API server says that there is none. */
export async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** True when a creation was refused because there is one of that name. A quota's own conflict is a 409 too, and nothing is there. */
export function isThereAlready(error: unknown): boolean {
  const { status, reason } = apiStatus(error) ?? {};
  return status === 409 && reason === "AlreadyExists";
}

/** How long the server asked to wait, from the header (seconds or a date) or the Status object; capped at 5 minutes. */
export function parseRetryAfter(header: string | undefined, seconds?: unknown): number | undefined {
  const fromHeader =
    header === undefined ? Number.NaN : /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  const waitMs = Number.isFinite(fromHeader) ? fromHeader : typeof seconds === "number" ? seconds * 1000 : Number.NaN;
  if (!Number.isFinite(waitMs) || waitMs < 0) return undefined;
  return Math.min(waitMs, MAX_RETRY_AFTER_MS);
}

function fieldsOf(causes: unknown): FieldProblem[] {
  if (!Array.isArray(causes)) return [];
  const fields: FieldProblem[] = [];
  for (const cause of causes.slice(0, MAX_FIELDS)) {
    const path = isRecord(cause) ? cause.field : undefined;
    const reason = isRecord(cause) ? cause.reason : undefined;
    if (typeof path !== "string" || !FIELD_PATH.test(path)) continue;
    fields.push({ path, problem: typeof reason === "string" && REASON.test(reason) ? reason : "is refused" });
  }
  return fields;
}

/** A short machine word for a socket failure; never its message, which can name proxies and users. */
function socketReason(error: unknown): string {
  if (!(error instanceof Error)) return "Unknown";
  if (error.name === "AbortError" || error.name === "TimeoutError") return error.name;
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === "string" && REASON.test(code) ? code : error.name;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
