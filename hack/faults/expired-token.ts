// A token of a ServiceAccount as it is when its time is over: the same claims, signed by the same key, ended a minute ago.
// The shortest that the API server gives lasts ten minutes, which is as long as a whole run.
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ControlPlane } from "../control-plane/control-plane.js";

const MINUTE_S = 60;

/** What the token in that file will be one day. */
export function expired({ folder }: Pick<ControlPlane, "folder">, file: string): string {
  const [header = "", payload = ""] = readFileSync(file, "utf8").split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
  const ended = Math.floor(Date.now() / 1000) - MINUTE_S;
  const times = { iat: ended - 60 * MINUTE_S, nbf: ended - 60 * MINUTE_S, exp: ended };
  const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, ...times })).toString("base64url")}`;
  const key = createPrivateKey(readFileSync(join(folder, "service-account.key")));
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
