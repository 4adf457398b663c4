// Enrolment: a key without a name becomes the operator's or a workload's for an hour, on a token bound to a pod of its account.
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

/**
 * Pods that may be enrolled at once where the operator runs apart; one more takes the place of the one that ends first. The chart
 * allows sixteen, and one that was replaced stays enrolled for its hour.
 */
export const MAX_PODS = 64;
/** Pods of workloads that may be enrolled at once; they make no place among the operator's. */
export const MAX_WORKLOADS = 4096;

const MOST = { operator: MAX_PODS, workload: MAX_WORKLOADS } as const;
const ACCOUNT = "system:serviceaccount:";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const POD_NAME = "authentication.kubernetes.io/pod-name";

/** Who may enrol. */
export interface EnrolRules {
  /** `namespace/name` of the operator's ServiceAccount. */
  readonly account: string;
  /**
   * The uid of the pod that keyring and operator share: only that pod enrols, and only over loopback. "any": the operator
   * runs apart, so each pod of its account may enrol, from anywhere.
   */
  readonly pod: { readonly uid: string } | "any";
  /** True for a ServiceAccount (`namespace/name`) that policy names as a workload of this cluster: its pods enrol from anywhere. */
  isWorkload(account: string): boolean;
}

/** An admitted key. */
export interface Enrolment {
  readonly key: VerifyKey;
  readonly role: "operator" | "workload";
  /** `namespace/name` of the ServiceAccount. */
  readonly account: string;
  /** The account, as Kubernetes names it. */
  readonly actor: string;
  /** The pod's name, where the token says it. */
  readonly pod: string;
  readonly podUid: string;
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
  /** By the uid of the pod: one key of each at a time. */
  readonly #admitted = { operator: new Map<string, Enrolment>(), workload: new Map<string, Enrolment>() };

  constructor(client: ApiClient, rules: EnrolRules, now: () => Date) {
    this.#client = client;
    this.#rules = rules;
    this.#now = now;
  }

  /** The live enrolment of a key (the whole key: its kid is only a hint); null when it has none, or its hour is over. */
  of(key: VerifyKey): Enrolment | null {
    const now = this.#now().getTime();
    for (const admitted of Object.values(this.#admitted)) {
      for (const enrolment of admitted.values()) {
        if (enrolment.key.text === key.text && now < enrolment.until) return enrolment;
      }
    }
    return null;
  }

  /**
   * Judges a token for a key that asks from an address. Throws EnrolmentRefused, which says what is wrong but nothing of
   * the token; ApiUnreachable when the API server cannot be asked.
   */
  async judge(key: VerifyKey, token: string, address: string | undefined): Promise<Enrolment> {
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
    const { username = "", extra } = status.user ?? {};
    const podUid = extra?.[POD_UID]?.[0] ?? "";
    const { account, role } = this.#roleOf(username, podUid, address);
    if (podUid === "") throw refused("the token is not bound to a pod");
    const until = this.#now().getTime() + Math.min(ENROLMENT_SECONDS, secondsLeft(token, this.#now())) * 1000;
    return { key, role, account, actor: username, pod: extra?.[POD_NAME]?.[0] ?? "", podUid, until };
  }

  /** What an account becomes by enrolling. Throws EnrolmentRefused. */
  #roleOf(username: string, podUid: string, address: string | undefined): Pick<Enrolment, "account" | "role"> {
    const { account, pod, isWorkload } = this.#rules;
    if (username === `${ACCOUNT}${account.replace("/", ":")}`) {
      if (pod === "any") return { account, role: "operator" };
      if (!isLoopback(address)) throw refused("it did not come over loopback");
      if (podUid !== "" && podUid !== pod.uid) throw refused("the token is not bound to the keyring's own pod");
      return { account, role: "operator" };
    }
    const [, namespace, name] = /^system:serviceaccount:([^:/]+):([^:/]+)$/.exec(username) ?? [];
    const named = `${namespace}/${name}`;
    if (name !== undefined && isWorkload(named)) return { account: named, role: "workload" };
    throw refused(
      `the token is not one of ${ACCOUNT}${account.replace("/", ":")}, nor of a workload that policy names for this cluster`,
    );
  }

  /** Admits a judged key: the pod's earlier key, if any, is admitted no longer. */
  admit(enrolment: Enrolment): void {
    const admitted = this.#admitted[enrolment.role];
    admitted.delete(enrolment.podUid);
    while (admitted.size >= MOST[enrolment.role]) admitted.delete(endsFirst(admitted));
    admitted.set(enrolment.podUid, enrolment);
  }
}

function endsFirst(admitted: ReadonlyMap<string, Enrolment>): string {
  const [first] = [...admitted.values()].sort((a, b) => a.until - b.until);
  return first?.podUid ?? "";
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
