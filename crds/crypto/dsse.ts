// DSSE's pre-authentication encoding (secure-systems-lab/dsse, protocol.md): what signatures are over.
// Its envelope is not used: signatures stand in the objects themselves.
import { utf8, utf8Length } from "./primitives.js";

/** "DSSEv1" SP len(type) SP type SP len(body) SP body; lengths count UTF-8 bytes. */
export function dssePae(mediaType: string, body: string): Uint8Array {
  const [type, content] = [utf8Length(mediaType), utf8Length(body)];
  return utf8(`DSSEv1 ${type} ${mediaType} ${content} ${body}`);
}
