// JSON lines on stdout, with what could be secret taken out: fields by name, and the messages of foreign errors.
// Decides nothing about what is logged; objects' places are logged as `object`, never as `key`.

import { type DestinationStream, type Logger, pino } from "pino";
import { ZoppError } from "../crds/errors.js";

/** Names of fields whose value never appears, at the top of a line or up to two objects deep. */
const SECRET_FIELDS = [
  "token",
  "authorization",
  "Authorization",
  "value",
  "data",
  "stringData",
  "seed",
  "key",
  "keys",
  "privateKey",
  "password",
  "passphrase",
  "identity",
  "sealed",
  "wrapped",
  "body",
  "headers",
];
const REDACTED = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
const WORD = /^[\w$]{1,64}$/;
const FRAMES = 8;
const CAUSES = 3;

/** The levels a process can be told. */
export type Level = "debug" | "info" | "warn" | "error" | "silent";

/**
 * The log of one process (`name`: operator, keyring). Lines are written at once, so that the last one before an exit
 * is there. An error goes in as `err`; of foreign ones only name, code and stack frames appear.
 */
export function createLogger(name: string, level: Level = "info", destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    base: { name },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }), log: withSafeErrors },
    redact: { paths: REDACTED, censor: "[redacted]" },
    hooks: { logMethod },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** pino takes an error's message for a missing message: an error alone gets a fixed one. */
function logMethod(this: Logger, args: unknown[], method: (...args: never[]) => void): void {
  const [first, ...rest] = args;
  const fields = first instanceof Error ? { err: first } : first;
  const line = typeof fields === "object" && rest.length === 0 ? [fields, "failed"] : [fields, ...rest];
  method.apply(this, line as never[]);
}

function withSafeErrors(fields: Record<string, unknown>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) safe[name] = value instanceof Error ? errorFields(value) : value;
  return safe;
}

/**
 * What may be said of an error: of ours its code, message and causes; of a foreign one its name, code and stack
 * frames, since its message can quote what it failed on.
 */
export function errorFields(error: unknown, depth = 0): Record<string, unknown> {
  if (error instanceof ZoppError) {
    const cause = error.cause === undefined || depth >= CAUSES ? {} : { cause: causeFields(error.cause, depth) };
    return { code: error.code, message: error.message, ...cause };
  }
  if (!(error instanceof Error)) return { name: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return {
    name: WORD.test(error.name) ? error.name : "Error",
    ...(typeof code === "string" && WORD.test(code) ? { code } : {}),
    stack: frames.slice(0, FRAMES).map((line) => line.trim()),
  };
}

/** The causes that operator/kube gives are plain {status, reason}; nothing else of a plain object is shown. */
function causeFields(cause: unknown, depth: number): Record<string, unknown> {
  if (cause instanceof Error) return errorFields(cause, depth + 1);
  const { status, reason } = (typeof cause === "object" && cause !== null ? cause : {}) as Record<string, unknown>;
  return {
    ...(typeof status === "number" ? { status } : {}),
    ...(typeof reason === "string" && WORD.test(reason) ? { reason } : {}),
  };
}
