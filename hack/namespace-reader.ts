// For tests: somebody whose rights end at one namespace.
import type { ControlPlane } from "./control-plane/control-plane.js";
import { must } from "./control-plane/kubectl.js";

/** Makes an account that may list and watch policy, and the bundles of its own namespace alone; gives its kubeconfig. */
export async function namespaceReader({ kubectl, serviceAccountKubeconfig }: ControlPlane, namespace: string) {
  const name = "reader";
  const account = `--serviceaccount=${namespace}:${name}`;
  const policy = "--resource=zoppworkspaces,zoppenvironments,zoppbaselines";
  const create = (...args: string[]) => must(kubectl(["create", ...args]));
  await create("serviceaccount", name, "-n", namespace);
  await create("clusterrole", "zopp-policy", "--verb=list,watch", policy);
  await create("clusterrolebinding", name, "--clusterrole=zopp-policy", account);
  await create("role", name, "-n", namespace, "--verb=list,watch", "--resource=zoppsecrets");
  await create("rolebinding", name, "-n", namespace, `--role=${name}`, account);
  return serviceAccountKubeconfig(namespace, name);
}
