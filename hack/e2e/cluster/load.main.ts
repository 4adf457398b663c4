// Changes values all the time: run inside the cluster while zopp is upgraded, killed or moved. Says "loaded" once every
// Secret is there, and one line of JSON (Outcome) at the end.
//   load.main.js NAMESPACE BUNDLES CHANGES_PER_SECOND CHANGES FILE
// Values change so many times at least, and until there is such a file.
import { existsSync } from "node:fs";
import { loadIdentity } from "../../../cli/identity.js";
import { type AcceptedEnvironment, readEnvironment } from "../../../crds/policy/environment.js";
import type { ZoppEnvironment } from "../../../crds/types.gen.js";
import { type ApiClient, connect } from "../../../operator/kube/client.js";
import { ZOPP_ENVIRONMENTS } from "../../../operator/kube/resources.js";
import { Load, type Outcome } from "../../load.js";

async function environmentOf(client: ApiClient): Promise<AcceptedEnvironment> {
  const [environment] = (await client.list<ZoppEnvironment>(ZOPP_ENVIRONMENTS, {})).items;
  if (environment === undefined) throw new Error("the cluster has no ZoppEnvironment");
  return readEnvironment(environment);
}

async function main([namespace = "", bundles, perSecond, least, end = ""]: readonly string[]): Promise<Outcome> {
  const client = await connect({ userAgent: "load" });
  const { stdin, stdout, stderr, env } = process;
  const outside = { argv: [], env, cwd: process.cwd(), stdin, stdout: stderr, stderr };
  const identity = await loadIdentity({ ...outside, terminal: () => undefined, now: () => new Date() });
  const writing = { environment: await environmentOf(client), signingKey: identity.signing, now: new Date() };
  const load = await Load.begin({ client, namespace, bundles: Number(bundles), writing }, (error) => {
    stderr.write(`the witness lost sight: ${String(error)}\n`);
    process.exit(1);
  });
  stdout.write("loaded\n");
  await load.run(Number(perSecond), () => load.changes >= Number(least) && existsSync(end));
  return load.end();
}

process.stdout.write(`${JSON.stringify(await main(process.argv.slice(2)))}\n`);
process.exit(0);
