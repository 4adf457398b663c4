// For tests only: enrolments that ask a server whose TokenReviews a test scripts.
// What must come of them is in enrol.test.ts and enrol.workload.test.ts.
import type { Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import { connectTo } from "../kube/client.js";
import { answer, scriptedServer } from "../kube/scripted-server.js";
import { Enrolments, type EnrolRules } from "./enrol.js";

/** The one workload that policy names. */
export const isWorkload = (account: string) => account === "shop-prod/api";
/** The operator shares the keyring's pod. */
export const RULES: EnrolRules = { account: "zopp-system/zopp", pod: { uid: "pod-1" }, isWorkload };
/** The operator runs apart. */
export const REMOTE: EnrolRules = { account: "zopp-system/zopp", pod: "any", isWorkload };
export const FAR = "10.0.0.7";
export const LOOPBACK = "127.0.0.1";

/** "admitted", or code and message. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "admitted",
    (error: unknown) => (error instanceof ZoppError ? `${error.code}: ${error.message}` : String(error)),
  );
}

/** What a TokenReview answers. */
export interface Answer {
  authenticated?: boolean;
  audiences?: string[];
  user?: { username?: string; extra?: Record<string, string[]> };
}

/** The answer for the operator's own token. */
export const GOOD: Answer = {
  authenticated: true,
  audiences: ["zopp-keyring"],
  user: {
    username: "system:serviceaccount:zopp-system:zopp",
    extra: { "authentication.kubernetes.io/pod-uid": ["pod-1"] },
  },
};

/** Enrolments that ask a server which answers every review alike. */
export async function answered(t: Test, status: Answer, now = () => new Date(), rules = RULES): Promise<Enrolments> {
  const server = await scriptedServer((_, response) => answer(response, 201, { metadata: { name: "" }, status }));
  const client = connectTo(server.endpoint);
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  return new Enrolments(client, rules, now);
}
