// Finds out for which place a signature was made that does not hold where it stands.
// Only ever makes a refusal clearer: nothing is accepted here.
import type { VerifyKey } from "../crypto/keys.js";
import { entryStatement, headerStatement, type SignedPlace, type Statement, verifyStatement } from "../statement.js";
import type { BundleCase } from "./case.js";
import { entryFacts } from "./statements.js";

/** A try costs about 0.1 ms; more than this would make refusals a way to keep a keyring busy. */
const MAX_TRIES = 64;

/** Where a signature holds, in words ("shop-prod/api", "key DB_USER of this bundle"); undefined when nowhere near. */
export function signedFor(
  given: BundleCase,
  key: string | undefined,
  signer: VerifyKey,
  signature: string,
): string | undefined {
  let tries = 0;
  for (const { words, statement } of candidates(given, key)) {
    tries += 1;
    if (tries > MAX_TRIES) return undefined;
    if (verifyStatement(signer, statement, signature)) return words;
  }
  return undefined;
}

interface Candidate {
  readonly words: string;
  readonly statement: Statement;
}

function* candidates(given: BundleCase, key: string | undefined): Generator<Candidate> {
  const { environment, metadata, spec } = { ...given.secret, environment: given.secret.spec.environment };
  const here: SignedPlace = { environment, namespace: metadata.namespace, name: metadata.name };
  if (key !== undefined) {
    const keys = new Set([...Object.keys(spec.data ?? {}), ...(given.ledger?.entries.keys() ?? [])]);
    for (const other of keys) {
      if (other !== key)
        yield { words: `key ${other} of this bundle`, statement: statementAt(given, here, key, other) };
    }
  }
  for (const place of otherPlaces(given, here)) {
    const words = `${place.namespace}/${place.name} (kustomize's namespace and namePrefix move bundles)`;
    yield { words, statement: statementAt(given, place, key, key) };
  }
}

/** The same namespace under the target's name, the other literal namespaces of the environment, then what the caller knows. */
function* otherPlaces(given: BundleCase, here: SignedPlace): Generator<SignedPlace> {
  const { spec } = given.secret;
  if (spec.target?.name !== undefined) yield { ...here, name: spec.target.name };
  const rules = given.workspace.object.spec.environments ?? [];
  for (const namespace of rules.flatMap(({ namespaces }) => namespaces)) {
    if (!namespace.endsWith("*") && namespace !== here.namespace) yield { ...here, namespace };
  }
  for (const { namespace, name } of given.otherPlaces ?? []) {
    if (namespace !== here.namespace || name !== here.name) yield { ...here, namespace, name };
  }
}

function statementAt(
  given: BundleCase,
  place: SignedPlace,
  key: string | undefined,
  signedKey: string | undefined,
): Statement {
  const entry = key === undefined ? undefined : given.secret.spec.data?.[key];
  if (key === undefined || signedKey === undefined || entry === undefined)
    return headerStatement(place, given.secret.spec);
  return entryStatement(place, entryFacts(signedKey, entry));
}
