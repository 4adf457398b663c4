// A log as C2SP tiles in a folder (tlog-tiles): its checkpoint, its hashes and its records, for any tool that reads them.
// Folders and records only; who signed what is verify.ts'.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { leafHash, MerkleTree } from "../../crds/audit/merkle.js";
import { ZoppError } from "../../crds/errors.js";
import type { FoundRecord } from "./found.js";

const WIDTH = 256;
const LEVELS_PER_TILE = 8;
const HASH_BYTES = 32;
const MAX_ENTRY_BYTES = 65_535;

/** True for a folder that holds tiles. */
export function hasTiles(folder: string): boolean {
  return existsSync(join(folder, "checkpoint")) && existsSync(join(folder, "tile"));
}

/** `x001/x234/067` */
function pathOfIndex(index: number): string {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return groups.join("/");
}

function tilePath(level: string, index: number, width: number): string {
  return join("tile", level, pathOfIndex(index) + (width === WIDTH ? "" : `.p/${width}`));
}

/** How wide the tile of that index is in a row of `count`. */
function widthOf(index: number, count: number): number {
  return Math.min(WIDTH, count - index * WIDTH);
}

/** Writes records and hashes, and the checkpoint last: whoever reads it finds everything that it signs. Throws TooLarge. */
export function writeTiles(folder: string, lines: readonly string[], checkpoint: string): void {
  const tree = new MerkleTree();
  for (const [index, line] of lines.entries()) {
    if (Buffer.byteLength(line) > MAX_ENTRY_BYTES)
      throw new ZoppError("TooLarge", `record ${index} is longer than an entry of a tile may be`);
    tree.append(leafHash(line));
  }
  for (let level = 0; level === 0 || 2 ** (LEVELS_PER_TILE * level) <= lines.length; level += 1) {
    const count = Math.floor(lines.length / 2 ** (LEVELS_PER_TILE * level));
    for (let index = 0; index * WIDTH < count; index += 1) {
      const width = widthOf(index, count);
      const nodes = Array.from({ length: width }, (_, at) => tree.node(LEVELS_PER_TILE * level, index * WIDTH + at));
      put(folder, tilePath(String(level), index, width), Buffer.concat(nodes.map((node) => node ?? new Uint8Array(0))));
    }
  }
  for (let index = 0; index * WIDTH < lines.length; index += 1) {
    const width = widthOf(index, lines.length);
    put(folder, tilePath("entries", index, width), bundleOf(lines.slice(index * WIDTH, index * WIDTH + width)));
  }
  put(folder, "checkpoint", Buffer.from(checkpoint));
}

function put(folder: string, path: string, bytes: Uint8Array): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  // a tile that is whole takes the place of those that were not
  if (path.startsWith("tile") && !/\.p\/\d+$/.test(path)) rmSync(`${file}.p`, { recursive: true, force: true });
}

function bundleOf(lines: readonly string[]): Uint8Array {
  return Buffer.concat(
    lines.flatMap((line) => {
      const bytes = Buffer.from(line);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** Reads records with the hashes that the tiles state for them. Throws LogChanged where one cannot be read. */
export function readTiles(folder: string): { readonly records: readonly FoundRecord[]; readonly checkpoint: string } {
  const checkpoint = readFileSync(join(folder, "checkpoint"), "utf8");
  const records: FoundRecord[] = [];
  for (let index = 0; ; index += 1) {
    const entries = widest(folder, "entries", index);
    const hashes = widest(folder, "0", index);
    if (entries === undefined) return { records, checkpoint };
    const lines = linesOf(entries, records.length);
    for (const [at, line] of lines.entries())
      records.push({ line, stated: hashes?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) });
    if (lines.length < WIDTH) return { records, checkpoint };
  }
}

/** A whole tile, or the widest that is not. */
function widest(folder: string, level: string, index: number): Buffer | undefined {
  const whole = join(folder, tilePath(level, index, WIDTH));
  if (existsSync(whole)) return readFileSync(whole);
  if (!existsSync(`${whole}.p`)) return undefined;
  const width = Math.max(...readdirSync(`${whole}.p`).map(Number).filter(Number.isInteger));
  return width > 0 ? readFileSync(join(`${whole}.p`, String(width))) : undefined;
}

function linesOf(bundle: Buffer, first: number): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < bundle.length; ) {
    const length = at + 2 <= bundle.length ? bundle.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (at + 2 + length > bundle.length)
      throw new ZoppError("LogChanged", `record ${first + lines.length}: its bundle of entries is cut`);
    lines.push(bundle.toString("utf8", at + 2, at + 2 + length));
    at += 2 + length;
  }
  return lines;
}
