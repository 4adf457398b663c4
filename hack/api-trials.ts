// Owns asking a real API server what it makes of zopp's objects: creating on trial, applying as some manager, reading.
// Does not own the control plane's start, nor the client that zopp itself uses; never used outside tests.
import { Agent, request } from "undici";
import type { ControlPlane } from "./control-plane/control-plane.js";

/** An object as the API server takes it. */
export interface Sent {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

/** What the API server said: an HTTP status, the message of a refusal, and the object. */
export interface Answer {
  readonly code: number;
  readonly message: string;
  readonly object: {
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly spec: Readonly<Record<string, unknown>>;
    readonly status?: unknown;
  };
}

/** Asks of one control plane. */
export interface ApiTrials {
  /** Whether the object would be created, as `kubectl create` asks: unknown fields are refused. Nothing is stored. */
  tryCreate(object: unknown): Promise<Answer>;
  create(object: Sent): Promise<Answer>;
  /** Puts the object in the place of the one that is there. */
  replace(object: Sent): Promise<Answer>;
  /** Server-side apply as this field manager, which takes over what others own. `subresource` is `""` or `"/status"`. */
  apply(object: Sent, manager: string, subresource?: "" | "/status"): Promise<Answer>;
  close(): Promise<void>;
}

const JSON_TYPE = "application/json";

function collection({ kind, metadata }: Sent): string {
  const plural = `${kind.toLowerCase()}s`;
  return metadata.namespace === undefined ? plural : `namespaces/${metadata.namespace}/${plural}`;
}

/** Connects as the administrator. */
export function apiTrials(cp: Pick<ControlPlane, "url" | "token" | "ca">): ApiTrials {
  const dispatcher = new Agent({ connect: { ca: cp.ca } });
  const ask = async (
    method: "POST" | "PUT" | "PATCH",
    path: string,
    body: unknown,
    type = JSON_TYPE,
  ): Promise<Answer> => {
    const headers = { authorization: `Bearer ${cp.token}`, "content-type": type };
    const url = `${cp.url}/apis/zopp.dev/v1alpha1/${path}`;
    const response = await request(url, { method, dispatcher, headers, body: JSON.stringify(body) });
    const object = (await response.body.json()) as Answer["object"] & { readonly message?: string };
    const message = response.statusCode < 300 ? "" : (object.message ?? "");
    return { code: response.statusCode, message, object };
  };
  return {
    tryCreate: (object) => ask("POST", `${collection(object as Sent)}?dryRun=All&fieldValidation=Strict`, object),
    create: (object) => ask("POST", `${collection(object)}?fieldValidation=Strict`, object),
    replace: (object) => ask("PUT", `${collection(object)}/${object.metadata.name}?fieldValidation=Strict`, object),
    apply(object, manager, subresource = "") {
      const path = `${collection(object)}/${object.metadata.name}${subresource}?fieldManager=${manager}&force=true`;
      return ask("PATCH", path, object, "application/apply-patch+yaml");
    },
    close: () => dispatcher.close(),
  };
}
