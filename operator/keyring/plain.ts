// An object of the API as people signed it.
import type { ZoppEnvironment } from "../../crds/types.gen.js";
import type { KubeObject } from "../kube/resources.js";

/** Only what people signed and named: metadata that the API server adds plays no part. */
export function plain({ apiVersion, kind, metadata, ...rest }: KubeObject): unknown {
  const { spec } = rest as { spec?: ZoppEnvironment["spec"] };
  return { apiVersion, kind, metadata: { name: metadata.name }, spec };
}
