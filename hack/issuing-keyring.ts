// For the tests of certificates: a keyring that has a CA.
import { ZoppError } from "../crds/errors.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { caBundle, partsOf } from "./fixtures.certificates.js";
import { withGenerated } from "./fixtures.generated.js";
import { keyring } from "./generating-keyring.js";

export const DAY = 86_400_000;
/** The place of the CA. */
export const CA = "shop-prod/internal-ca";

/** A keyring that has made the CA and accepted it; `born` has a bundle's values made and opened. */
export async function issuing(ca = caBundle()) {
  const kept = await keyring();
  const born = async (secret: ZoppSecret, ...issuers: readonly ZoppSecret[]) => {
    const { generated } = await kept.generate(secret, { issuers });
    const made = withGenerated(secret, generated);
    const opened = await kept.open(made);
    if (opened?.ok !== true) throw opened?.error ?? new TypeError("no result");
    return { made, opened };
  };
  const { made, opened } = await born(ca);
  return { ...kept, born, ca: made, caParts: () => partsOf(made, "ca.key", opened) };
}

/** What a promise is refused with: the code and the message; "ok" where it is not. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? `${error.code}: ${error.message}` : String(error)),
  );
}
