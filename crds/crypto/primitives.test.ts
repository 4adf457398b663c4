// The primitives against Wycheproof's vectors, and against tweetnacl as a second opinion.
// The product calls exactly these functions; what is composed of them has its own tests.
import t, { type Test } from "tap";
import nacl from "tweetnacl";
import { readVectors, unbase64, unhex } from "../../hack/vectors.js";
import { encodeHex } from "./encoding.js";
import { hkdfExpand } from "./labeled.js";
import {
  chachaOpen,
  chachaSeal,
  curvePublic,
  ed25519Private,
  ed25519Public,
  ed25519Sign,
  ed25519Verify,
  equalBytes,
  hkdfSha256,
  hmacSha256,
  kemDecapsulate,
  kemEncapsulate,
  mlkemPrivate,
  mlkemPublic,
  mlkemPublicOf,
  randomBytes,
  sha256,
  sha256Hex,
  sha3256,
  shake256,
  utf8,
  x25519,
  x25519Ephemeral,
  x25519Private,
  x25519Public,
} from "./primitives.js";

/** Runs every vector of a file, counts them, and names those whose verdict differs. */
function agree<T extends { readonly id: number }>(
  t: Test,
  file: string,
  count: number,
  check: (vector: T) => boolean,
): void {
  const vectors = readVectors<T>(`third-party/${file}`);
  const differing = vectors.filter((vector) => !check(vector)).map(({ id }) => id);
  t.strictSame(differing, [], "no verdict differs");
  t.equal(vectors.length, count, `${count} vectors were run`);
}

function refuses(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch {
    return true;
  }
}

t.test("Wycheproof: Ed25519 signatures are judged as they should be", async (t) => {
  agree<{ id: number; pk: string; msg: string; sig: string; valid: boolean }>(
    t,
    "wycheproof-ed25519.json",
    151,
    (v) => {
      const key = ed25519Public(unhex(v.pk));
      return (key !== null && ed25519Verify(key, unhex(v.msg), unhex(v.sig))) === v.valid;
    },
  );
});

t.test("Wycheproof: X25519 agrees, and gives nothing where the shared secret is zero", async (t) => {
  agree<{ id: number; public: string; private: string; shared: string }>(t, "wycheproof-x25519.json", 518, (v) => {
    const shared = x25519(x25519Private(unhex(v.private)), unhex(v.public));
    return shared === null ? /^0+$/.test(v.shared) : encodeHex(shared) === v.shared;
  });
});

t.test("Wycheproof: ML-KEM-768 keys come from seeds, ciphertexts open, malformed ones give nothing", async (t) => {
  interface Vector {
    id: number;
    seed: string;
    ek?: string;
    c: string;
    K: string;
    valid: boolean;
  }
  agree<Vector>(t, "wycheproof-mlkem768-decapsulate.json", 201, (v) => {
    const seed = unbase64(v.seed);
    if (seed.length !== 64) return !v.valid && refuses(() => mlkemPrivate(seed));
    const key = mlkemPrivate(seed);
    const shared = kemDecapsulate(key, unbase64(v.c));
    if (!v.valid) return shared === null;
    return shared !== null && equalBytes(shared, unbase64(v.K)) && equalBytes(mlkemPublicOf(key), unbase64(v.ek ?? ""));
  });
});

t.test("Wycheproof: ML-KEM-768 public keys that are not reduced or too long or short are refused", async (t) => {
  agree<{ id: number; ek: string }>(
    t,
    "wycheproof-mlkem768-encapsulate.json",
    132,
    (v) => mlkemPublic(unbase64(v.ek)) === null,
  );
});

interface HkdfVector {
  readonly id: number;
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly okm: string;
  readonly valid: boolean;
}

t.test("Wycheproof: HKDF-SHA256 derives what it should, and refuses more than it can give", async (t) => {
  agree<HkdfVector>(t, "wycheproof-hkdf-sha256.json", 86, (v) => {
    const derive = () => hkdfSha256(unhex(v.ikm), unhex(v.salt), unhex(v.info), v.size);
    return v.valid ? encodeHex(derive()) === v.okm : refuses(derive);
  });
});

t.test("Wycheproof: HKDF in its two steps, as HPKE takes them, is the same HKDF", async (t) => {
  agree<HkdfVector>(t, "wycheproof-hkdf-sha256.json", 86, (v) => {
    const salt = unhex(v.salt);
    // HMAC hashes a longer key first; HPKE's salts have at most 32 bytes
    const prk = hmacSha256(salt.length > 64 ? sha256(salt) : salt, unhex(v.ikm));
    const derive = () => hkdfExpand(prk, [unhex(v.info)], v.size);
    return v.valid ? encodeHex(derive()) === v.okm : refuses(derive);
  });
});

t.test("Wycheproof: HMAC-SHA256 made of its two hashes is HMAC", async (t) => {
  agree<{ id: number; key: string; msg: string; tag: string; valid: boolean }>(
    t,
    "wycheproof-hmac-sha256.json",
    84,
    (v) => (encodeHex(hmacSha256(unhex(v.key), unhex(v.msg))) === v.tag) === v.valid,
  );
  t.throws(() => hmacSha256(new Uint8Array(65), new Uint8Array(0)), TypeError, "longer keys are not hashed silently");
});

t.test("Wycheproof: ChaCha20-Poly1305 seals the same bytes and opens only whole ones", async (t) => {
  interface Vector {
    id: number;
    key: string;
    iv: string;
    aad: string;
    msg: string;
    ct: string;
    tag: string;
    valid: boolean;
  }
  agree<Vector>(t, "wycheproof-chacha20-poly1305.json", 316, (v) => {
    const [key, nonce, aad] = [unhex(v.key), unhex(v.iv), unhex(v.aad)];
    const opened = chachaOpen(key, nonce, aad, unhex(v.ct + v.tag));
    if (!v.valid) return opened === null;
    return (
      opened !== null && encodeHex(opened) === v.msg && encodeHex(chachaSeal(key, nonce, aad, opened)) === v.ct + v.tag
    );
  });
});

t.test("the hashes give their published answers for the empty message and for parts", async (t) => {
  const empty = new Uint8Array(0);
  t.equal(sha256Hex(empty), encodeHex(sha256(empty)));
  t.equal(sha256Hex(empty), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  t.equal(encodeHex(sha3256(empty)), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
  t.equal(encodeHex(shake256(empty, 8)), "46b9dd2b0ba88d13");
  t.equal(shake256(empty, 96).length, 96);
  t.strictSame(sha256(utf8("ab"), utf8("c")), sha256(utf8("abc")), "parts are one message");
});

t.test("tweetnacl accepts our signatures, and we accept tweetnacl's", async (t) => {
  for (let round = 0; round < 25; round += 1) {
    const seed = randomBytes(32);
    const key = ed25519Private(seed);
    const pair = nacl.sign.keyPair.fromSeed(seed);
    const message = randomBytes(round * 11);
    const signature = ed25519Sign(key, message);
    t.ok(equalBytes(curvePublic(key), pair.publicKey), "one public key");
    t.ok(nacl.sign.detached.verify(message, Uint8Array.from(signature), pair.publicKey));
    const handle = ed25519Public(pair.publicKey);
    t.ok(handle !== null && ed25519Verify(handle, message, nacl.sign.detached(message, pair.secretKey)));
  }
});

t.test("tweetnacl agrees on X25519: public keys and shared secrets", async (t) => {
  for (let round = 0; round < 25; round += 1) {
    const raw = randomBytes(32);
    const { privateKey, share } = x25519Ephemeral();
    const key = x25519Private(raw);
    t.ok(equalBytes(curvePublic(key), nacl.scalarMult.base(raw)), "one public key");
    t.ok(equalBytes(x25519(key, share) ?? new Uint8Array(0), nacl.scalarMult(raw, share)));
    t.ok(equalBytes(x25519(privateKey, curvePublic(key)) ?? new Uint8Array(0), nacl.scalarMult(raw, share)));
  }
});

t.test("an encapsulation opens with its own key only", async (t) => {
  const [one, other] = [mlkemPrivate(randomBytes(64)), mlkemPrivate(randomBytes(64))];
  const handle = mlkemPublic(mlkemPublicOf(one));
  if (handle === null) throw new Error("a fresh public key is refused");
  const { sharedKey, ciphertext } = kemEncapsulate(handle);
  t.strictSame(kemDecapsulate(one, ciphertext), sharedKey);
  t.notSame(kemDecapsulate(other, ciphertext), sharedKey, "implicit rejection: another secret, no error");
});

t.test("private keys of a wrong length are programmers' mistakes", async (t) => {
  for (const length of [0, 31, 33, 63, 65]) {
    const raw = new Uint8Array(length);
    t.throws(() => ed25519Private(raw), TypeError);
    t.throws(() => x25519Private(raw), TypeError);
    t.throws(() => mlkemPrivate(raw), TypeError);
    t.equal(ed25519Public(raw), null);
    t.equal(x25519Public(raw), null);
    t.equal(x25519(x25519Private(new Uint8Array(32)), raw), null);
    t.equal(mlkemPublic(raw), null);
  }
});

t.test("a key that is no point of the curve verifies nothing, and raises nothing", async (t) => {
  let tried = 0;
  for (let y = 2; y < 40; y += 1) {
    const raw = new Uint8Array(32).fill(0);
    raw[0] = y;
    const key = ed25519Public(raw);
    if (key === null) continue;
    tried += 1;
    t.notOk(ed25519Verify(key, utf8("message"), new Uint8Array(64)));
  }
  t.equal(tried, 38);
});

t.test("bytes of different lengths are different, equal ones equal", async (t) => {
  t.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  t.notOk(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  t.notOk(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
  t.notSame(randomBytes(32), randomBytes(32));
});
