// `zopp get`: verifies and opens values, with the reader's own key or through a keyring; see reading.ts.
import { ZoppError } from "../../crds/errors.js";
import { bundleName, environmentOf, needBundle, refuseOther } from "../bundles.js";
import type { KeyringOptions } from "../keyring-call.js";
import { jsonText, type Result } from "../output.js";
import { acceptPolicy } from "../policy.js";
import { readValuesOf } from "../reading.js";
import type { Session } from "../session.js";

/** The flags of `zopp get`. */
export interface GetOptions extends KeyringOptions {
  readonly namespace?: string;
  readonly environment?: string;
}

/** A value as text, or in base64 where it is none. */
type Shown = { readonly value: string } | { readonly base64: string };

/** Runs `zopp get BUNDLE [KEY]`. */
export async function run(
  session: Session,
  [bundle = "", key]: readonly string[],
  options: GetOptions,
): Promise<Result> {
  const { context } = session;
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const keys = key === undefined ? undefined : [key];
  const { values, withheld, notes } = await readValuesOf(session, { ...options, secret, policy, keys });
  const data = Object.fromEntries([...values].map(([name, value]) => [name, shown(value)]));
  const result = {
    data: {
      bundle: `${secret.metadata.namespace}/${secret.metadata.name}`,
      environment: policy.environment.path,
      entries: data,
    },
    names: [...values.keys()],
    notes: [
      ...notes,
      ...(withheld.length === 0 ? [] : [`not shown, since you may not read it: ${withheld.join(", ")}`]),
    ],
  };
  const only = key === undefined ? undefined : values.get(key);
  if (only === undefined) return { ...result, human: Object.entries(data).map(([name, value]) => line(name, value)) };
  return { ...result, human: [], raw: rawOf(only, context.stdout.isTTY === true) };
}

function textOf(value: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return undefined;
  }
}

function shown(value: Uint8Array): Shown {
  const text = textOf(value);
  return text === undefined ? { base64: Buffer.from(value).toString("base64") } : { value: text };
}

function line(name: string, value: Shown): string {
  if ("base64" in value) return `${name} (binary, base64): ${value.base64}`;
  return /^[\x20-\x7e]*$/.test(value.value) ? `${name}: ${value.value}` : `${name}: ${jsonText(value.value)}`;
}

/** Byte for byte into a pipe; on a terminal a newline follows, and what could steer it is refused. */
function rawOf(value: Uint8Array, terminal: boolean): Uint8Array {
  if (!terminal) return value;
  const text = textOf(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (text === undefined || /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text.replaceAll("\r\n", "\n"))) {
    throw new ZoppError("Usage", "the value is not plain text: send it to a file or pipe, or use -o json");
  }
  return Buffer.from(text.endsWith("\n") ? text : `${text}\n`, "utf8");
}
