// That the certificate which a proxy shows when it has expired is refused for that alone, and that who does not care is found.
import { get } from "node:https";
import t from "tap";
import { connect } from "../operator/kube/client.js";
import { apiStatus } from "../operator/kube/errors.js";
import { CONFIG_MAPS } from "../operator/kube/resources.js";
import { startControlPlane } from "./control-plane/control-plane.js";
import { eventually } from "./eventually.js";
import { FaultingProxy } from "./faulting-proxy.js";

const plane = await startControlPlane();
const proxy = await FaultingProxy.start(plane);
const client = await connect({ file: proxy.kubeconfig, userAgent: "zopp-test" });
t.teardown(async () => {
  await client.close();
  await proxy.stop();
  await plane.stop();
});

/** Writes something; gives why it was not done. */
function write(): Promise<string | undefined> {
  const object = { metadata: { namespace: "default", name: "written" }, data: { A: "b" } };
  const written = client.apply(CONFIG_MAPS, object, { fieldManager: "test", metadataOnly: true });
  return written.then(
    () => undefined,
    (error: unknown) => apiStatus(error)?.reason,
  );
}

t.test("who is shown an expired certificate sends nothing, and goes on when it is renewed", async (t) => {
  t.equal(await write(), undefined);
  const before = proxy.written.length;
  proxy.expireCertificate();
  // a connection that was just broken may be found to be so first
  await eventually(async () => (await write()) === "CERT_HAS_EXPIRED", { message: "the certificate is refused" });
  t.equal(await write(), "CERT_HAS_EXPIRED");
  t.ok(proxy.expired.came > 0);
  t.equal(proxy.expired.asked, 0);
  t.equal(proxy.written.length, before);
  proxy.renewCertificate();
  await eventually(async () => (await write()) === undefined, { message: "it writes again" });
  t.ok(proxy.written.length > before);
  t.equal(proxy.expired.asked, 0);
});

t.test("who does not look at the certificate is counted", async (t) => {
  const before = proxy.expired.asked;
  proxy.expireCertificate();
  t.teardown(() => proxy.renewCertificate());
  await new Promise<void>((resolve, reject) => {
    const asked = get(`${proxy.url}/readyz`, { rejectUnauthorized: false, agent: false }, (answer) => {
      answer.resume().once("end", resolve);
    });
    asked.once("error", reject);
  });
  t.equal(proxy.expired.asked, before + 1);
});
