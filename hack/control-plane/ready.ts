// Owns knowing when a process of the control plane is ready.
// Does not own starting or ending it.
import { existsSync, readFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { request as secureRequest } from "node:https";
import { join } from "node:path";
import { eventually } from "../eventually.js";
import type { Running } from "./processes.js";
import type { Site } from "./site.js";

const START_TIMEOUT_MS = 240_000;

/**
 * Waits until a process says it is ready.
 *
 * @param all what must run meanwhile; that process alone unless said otherwise.
 * @throws Error with the last lines that it wrote, when it (or another of all) ends before or takes over four minutes.
 */
export async function untilReady(
  running: Running,
  check: () => Promise<boolean>,
  all: readonly Running[] = [running],
): Promise<void> {
  const dead = () => all.find((one) => one.ended());
  const done = await eventually(async () => dead() !== undefined || (await check()), {
    timeoutMs: START_TIMEOUT_MS,
    message: `${running.name} is ready`,
  }).catch(() => false);
  const culprit = dead() ?? running;
  if (done && !culprit.ended()) return;
  throw new Error(
    `${culprit.name} ${culprit.ended() ? "ended" : "did not get ready"}; it wrote:\n${culprit.lastLines()}`,
  );
}

/** Waits until the API server has written its certificate, and gives the file: the certificate and its authority, PEM. */
export async function waitForAuthority(running: Running, { folder }: Site): Promise<string> {
  const path = join(folder, "certificates", "apiserver.crt");
  const isWhole = () => existsSync(path) && readFileSync(path, "utf8").trimEnd().endsWith("-----END CERTIFICATE-----");
  await untilReady(running, async () => isWhole());
  return readFileSync(path, "utf8");
}

/** Whether etcd answers that it is healthy. */
export function isEtcdReady(port: number): Promise<boolean> {
  return answersOk(request({ ...REQUEST, port, path: "/health" }));
}

/** Whether the API server answers that it is ready. */
export function isReady({ port, ca, token }: { port: number; ca: string; token: string }): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  return answersOk(secureRequest({ ...REQUEST, port, ca, headers, path: "/readyz" }));
}

const REQUEST = { host: "127.0.0.1", timeout: 2000, agent: false } as const;

function answersOk(asked: ClientRequest): Promise<boolean> {
  return new Promise((resolve) => {
    asked.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
