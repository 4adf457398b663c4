// Enrolment: a key without a name becomes the operator's for an hour, on a token bound to the operator's own pod.
// Enrolments live in memory only: after a restart everybody enrols again.
import { isIP } from "node:net";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import type { ApiClient } from "../kube/client.js";
import { apiStatus } from "../kube/errors.js";
import { type KubeObject, TOKEN_REVIEWS } from "../kube/resources.js";

/** The audience that a token must be for: no other token of the pod can be used here. */
export const AUDIENCE = "zopp-keyring";
/** How long an enrolment lasts; a token that ends earlier ends it earlier. */
export const ENROLMENT_SECONDS = 3600;

const POD_UID = "authentication.kubernetes.io/pod-uid";
const POD_NAME = "authentication.kubernetes.io/pod-name";

/** Who may enrol. */
export interface EnrolRules {
  /** `namespace/name` of the operator's ServiceAccount. */
  readonly account: string;
  /** The uid of the pod that keyring and operator share. */
  readonly podUid: string;
}

/** An admitted key. */
export interface Enrolment {
  readonly key: VerifyKey;
  /** The account, as Kubernetes names it. */
  readonly actor: string;
  readonly pod: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

interface Review extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  };
}

/** The enrolments of one keyring. */
export class Enrolments {
  readonly #client: ApiClient;
  readonly #rules: EnrolRules;
  readonly #now: () => Date;
  /** One pod may enrol, and one key of it at a time. */
  #admitted: Enrolment | null = null;

  constructor(client: ApiClient, rules: EnrolRules, now: () => Date) {
    this.#client = client;
    this.#rules = rules;
    this.#now = now;
  }

  /** The live enrolment of a key (the whole key: its kid is only a hint); null when it has none, or its hour is over. */
  of(key: VerifyKey): Enrolment | null {
    const found = this.#admitted;
    return found?.key.text === key.text && this.#now().getTime() < found.until ? found : null;
  }

  /**
   * Judges a token for a key that asks from an address. Throws EnrolmentRefused, which says what is wrong but nothing of
   * the token; ApiUnreachable when the API server cannot be asked.
   */
  async judge(key: VerifyKey, token: string, address: string | undefined): Promise<Enrolment> {
    if (!isLoopback(address)) throw refused("it did not come over loopback");
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token, audiences: [AUDIENCE] },
    };
    const { status } = await this.#client.create<Review>(TOKEN_REVIEWS, body).catch((error: unknown) => {
      if (apiStatus(error)?.status === 400) throw refused("the API server takes it for no token at all");
      throw error;
    });
    if (status?.authenticated !== true || !status.audiences?.includes(AUDIENCE)) {
      throw refused(`the API server does not accept the token for the audience ${AUDIENCE}`);
    }
    const { username, extra } = status.user ?? {};
    const expected = `system:serviceaccount:${this.#rules.account.replace("/", ":")}`;
    if (username !== expected) throw refused(`the token is not one of ${expected}`);
    if (extra?.[POD_UID]?.[0] !== this.#rules.podUid) throw refused("the token is not bound to the keyring's own pod");
    const seconds = Math.min(ENROLMENT_SECONDS, secondsLeft(token, this.#now()));
    return { key, actor: username, pod: extra[POD_NAME]?.[0] ?? "", until: this.#now().getTime() + seconds * 1000 };
  }

  /** Admits a judged key: the pod's earlier key, if any, is admitted no longer. */
  admit(enrolment: Enrolment): void {
    this.#admitted = enrolment;
  }
}

function refused(why: string): ZoppError {
  return new ZoppError("EnrolmentRefused", `enrolment refused: ${why}`);
}

/** True for an address of this machine (or pod) itself. */
export function isLoopback(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/, "");
  return plain === "::1" || (plain !== undefined && isIP(plain) === 4 && plain.startsWith("127."));
}

/** Seconds until the token's own end; it was authenticated just now, so its claims are true. */
function secondsLeft(token: string, now: Date): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      exp?: unknown;
    };
    if (typeof claims.exp === "number") return Math.max(0, claims.exp - Math.floor(now.getTime() / 1000));
  } catch {
    // a token without readable claims ends with the enrolment
  }
  return ENROLMENT_SECONDS;
}
