// For tests only: a keyring that makes values and opens them, and whose clock can be moved.
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { openEntry } from "../crds/crypto/entry.js";
import type { GeneratedEntry, ZoppSecret } from "../crds/types.gen.js";
import { generateValues } from "../operator/keyring/generate.js";
import type { SentBundle } from "../operator/keyring/open.types.js";
import { withGenerated } from "./fixtures.generated.js";
import { acme, identityOf, production } from "./fixtures.js";
import { LATER, sent } from "./keyring-world.js";
import { OPERATOR, openingKeyring } from "./opening-keyring.js";

export type Values = Readonly<Record<string, GeneratedEntry>>;

/** A keyring that makes and opens, and whose clock can be moved. */
export async function keyring(workspace = acme()) {
  const kept = await openingKeyring(workspace, production());
  const { world, book } = kept;
  let now = LATER;
  let step = 0;
  const generate = (
    secret: ZoppSecret,
    {
      withinMs = 60_000,
      signal = new AbortController().signal,
      issuers = [] as readonly ZoppSecret[],
      sentIssuers = issuers.map(presented) as readonly SentBundle[],
    } = {},
  ) =>
    generateValues(presented(secret), OPERATOR, {
      book,
      ledger: world.ledger,
      cluster: identityOf("cluster eu-1").signing,
      now: () => {
        pass(step);
        return now;
      },
      record: async (fact) => void world.facts.push(fact),
      refuse: (fact) => void world.refusals.push(fact),
      issuers: sentIssuers,
      withinMs,
      signal,
    });
  const open = async (secret: ZoppSecret) => (await kept.openAs(OPERATOR, [presented(secret)], now))[0];
  const makeAndOpen = async (secret: ZoppSecret) => {
    const { generated } = await generate(secret);
    const opened = await open(withGenerated(secret, generated));
    if (opened?.ok !== true) throw opened?.error ?? new TypeError("no result");
    return { generated, values: valuesIn(secret, generated, opened.keys) };
  };
  const pass = (ms: number): void => {
    now = new Date(now.getTime() + ms);
  };
  /** From now on the clock goes so far whenever somebody looks at it while values are made. */
  const steps = (ms: number): void => {
    step = ms;
  };
  return { ...kept, generate, open, makeAndOpen, pass, steps };
}

/** The bundle as the operator sends it, with its values. */
export function presented(secret: ZoppSecret): SentBundle {
  const { generated } = secret.status ?? {};
  return { ...sent(secret), ...(generated === undefined ? {} : { generated: Buffer.from(JSON.stringify(generated)) }) };
}

/** What the operator makes of the keys that were released. */
function valuesIn(secret: ZoppSecret, generated: Values, keys: ReadonlyMap<string, Uint8Array>) {
  const { TOKEN } = generated;
  const sealed = {
    TOKEN: TOKEN?.sealed,
    OLD_TOKEN: TOKEN?.previous?.sealed,
    DB_USER: secret.spec.data?.["DB_USER"]?.sealed,
  };
  return Object.fromEntries(
    [...keys].map(([key, entryKey]) => {
      const bytes = decodeBase64(sealed[key as keyof typeof sealed] ?? "") ?? new Uint8Array();
      return [key, Buffer.from(openEntry(entryKey, "xwing", bytes)).toString()];
    }),
  );
}
