// Kinds that only fault runs speak of.
import type { Resource } from "../../operator/kube/resources.js";

/** Limits of a namespace. */
export const RESOURCE_QUOTAS: Resource = {
  group: "",
  version: "v1",
  plural: "resourcequotas",
  kind: "ResourceQuota",
  namespaced: true,
};
