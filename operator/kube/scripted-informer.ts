// For tests only: an informer that follows a scripted server, and what it was told, as short words.
// The server's answers are the test's; see scripted-server.ts.

import type { ServerResponse } from "node:http";
import type { Test } from "tap";
import { type ConnectOptions, connectTo } from "./client.js";
import { Informer, type InformerOptions } from "./informer.js";
import { silentLog } from "./observe.js";
import { CONFIG_MAPS, type KubeObject } from "./resources.js";
import { answer, object, type Received, type Script, type ScriptedServer, scriptedServer } from "./scripted-server.js";

/** A started informer and its server. */
export interface Setup {
  readonly server: ScriptedServer;
  readonly informer: Informer;
  /** "+a@1 initial", "a@1>2", "-a@2". */
  readonly changes: string[];
}

/** Times that keep tests short. */
export const FAST = { backoff: { firstMs: 5, capMs: 20 }, healthyMs: 60_000, watchMs: 60_000, quietMs: 10_000 };

/** Starts an informer on a server of its own; both end with the test. */
export async function follow(
  t: Test,
  script: Script,
  options: Partial<InformerOptions<KubeObject>> = {},
  connection: ConnectOptions = {},
): Promise<Setup> {
  const server = await scriptedServer(script);
  const client = connectTo(server.endpoint, connection);
  const informer = new Informer({ client, resource: CONFIG_MAPS, log: silentLog, timing: FAST, ...options });
  const changes: string[] = [];
  const named = (one: KubeObject) => `${one.metadata.name}@${one.metadata.resourceVersion}`;
  informer.onChange((old, now, initial) => {
    if (old === undefined && now !== undefined) changes.push(`+${named(now)}${initial ? " initial" : ""}`);
    else if (now === undefined) changes.push(`-${named(old as KubeObject)}`);
    else changes.push(`${named(old as KubeObject)}>${now.metadata.resourceVersion}`);
  });
  t.teardown(async () => {
    await informer.stop();
    await client.close();
    await server.down();
  });
  informer.start();
  return { server, informer, changes };
}

/** True for a watch, false for a list. */
export const isWatch = (one: Received) => one.query.get("watch") === "true";

/** A script from one function for lists and one for the n-th watch (from 0); a watch left alone stays open. */
export function script(
  list: (one: Received, response: ServerResponse, nth: number) => void,
  watch: (one: Received, response: ServerResponse, nth: number) => void = (_, response) => void response.flushHeaders(),
): Script {
  let lists = 0;
  let watches = 0;
  return (one, response) => (isWatch(one) ? watch(one, response, watches++) : list(one, response, lists++));
}

/** Answers with one page of a list. */
export function listed(response: ServerResponse, version: number, objects: KubeObject[], next?: string): void {
  answer(response, 200, { metadata: { resourceVersion: String(version), continue: next }, items: objects });
}

/** A list of one object, a@1, as of version 10. */
export const listOfA = (_: Received, response: ServerResponse) => listed(response, 10, [object("a", 1)]);

/** Resource versions from which watches were started. */
export const starts = (server: ScriptedServer) =>
  server.received.filter(isWatch).map((one) => one.query.get("resourceVersion"));
/** How many lists were asked for. */
export const lists = (server: ScriptedServer) => server.received.filter((one) => !isWatch(one)).length;
