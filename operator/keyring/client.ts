// Asks the keyring: opens are batched, enrolment happens by itself, errors are ZoppErrors. What is asked and told is client.types.ts'.
// The keyring's key is pinned: nothing is sent to another one.
import { utf8 } from "../../crds/crypto/primitives.js";
import { auditClient } from "./audit-client.js";
import { Batcher } from "./batch.js";
import type { GeneratedValues, KeyringClient, KeyringConnection, OpenRequest } from "./client.types.js";
import type { SentBundle } from "./open.types.js";
import { Session } from "./session.js";
import { Turns } from "./turns.js";
import { fromDescribeResponse, fromOpenResult, fromWaiting } from "./wire.js";

/** Connects on first use and again whenever the connection is lost. Throws Malformed when the pinned key is no key. */
export function connectKeyring(connection: KeyringConnection): KeyringClient {
  const session = new Session(connection);
  const batcher = new Batcher(async (bundles: SentBundle[]) => {
    const { results, checkpoint } = await session.call((keyring, options) => keyring.open({ bundles }, options));
    return results.map((result) => ({ result, checkpoint }));
  });
  const generates = new Turns();
  return {
    async open(request, signal) {
      const bundle = sentOf(request);
      const { result, checkpoint } = await batcher.add(bundle, bundle.spec.length + bundle.generated.length, signal);
      return fromOpenResult(result, checkpoint);
    },
    async describe(signal) {
      return fromDescribeResponse(await session.call((keyring, options) => keyring.describe({}, options), signal));
    },
    async join(workspace, asked) {
      await session.call((keyring, options) => keyring.join({ workspace, asked }, options));
    },
    async offer(object, signal) {
      const bytes = utf8(JSON.stringify(object));
      const { version, digest } = await session.call(
        (keyring, options) => keyring.offer({ object: bytes }, options),
        signal,
      );
      return { version: Number(version), digest };
    },
    async wrap(environment, to, signal) {
      const { keys } = await session.call((keyring, options) => keyring.wrap({ environment, to }, options), signal);
      return keys.map(({ epoch, enc, wrapped }) => ({ epoch: Number(epoch), to, enc, wrapped }));
    },
    async generate({ issuers: others = [], ...request }, signal) {
      const bundle = sentOf(request);
      const issuers = others.map(sentOf);
      const answer = await generates.next(
        () => session.call((keyring, options) => keyring.generate({ bundle, issuers }, options), signal),
        signal,
      );
      const generated = JSON.parse(Buffer.from(answer.generated).toString("utf8")) as GeneratedValues;
      return { generated, made: answer.made, waiting: fromWaiting(answer.waiting) };
    },
    audit: auditClient(session),
    close: () => session.close(),
  };
}

function sentOf({ namespace, name, spec, keys = [], earlier = false, generated }: OpenRequest) {
  const values = generated === undefined ? new Uint8Array(0) : utf8(JSON.stringify(generated));
  return { namespace, name, spec: utf8(JSON.stringify(spec)), keys: [...keys], earlier, generated: values };
}
