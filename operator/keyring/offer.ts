// Offer: a newer signed object straight from whoever has it, judged exactly as one that lies in the API.
// What is good is policy.ts' to say; that one judgement waits for another is keyring.ts'.
import { ZoppError } from "../../crds/errors.js";
import type { PolicyBook } from "./policy.js";
import type { Peer } from "./server.js";

/** Takes what was offered, or throws why it is refused: Malformed, and as PolicyBook.offer. */
export async function takeOffer(object: Uint8Array, peer: Pick<Peer, "actor">, book: PolicyBook) {
  const { version, digest } = await book.offer(parsed(object), peer.actor);
  return { version: BigInt(version), digest };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof value === "object" && value !== null && "metadata" in value) return value;
  } catch {
    // said below, without the parser's words, which quote what was sent
  }
  throw new ZoppError("Malformed", "what was offered is no object in JSON");
}
