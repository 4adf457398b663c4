// Sealing and opening by Go's crypto/hpke and x/crypto's secretbox: entries, and wrapped environment keys.
// The other implementation is crds/crypto; neither has seen the other.
package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/nacl/secretbox"
)

// place is where an entry is sealed.
type place struct {
	Workspace   string `json:"workspace"`
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Epoch       int64  `json:"epoch"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Key         string `json:"key"`
	Version     int64  `json:"version"`
}

func (p place) entryInfo() []byte {
	return pae("zopp/v1/entry", p.Workspace, p.Project, p.Environment, strconv.FormatInt(p.Epoch, 10),
		p.Namespace, p.Name, p.Key, strconv.FormatInt(p.Version, 10))
}

func (p place) wrapInfo(recipient string) []byte {
	return pae("zopp/v1/environment", p.Workspace, p.Project, p.Environment, strconv.FormatInt(p.Epoch, 10), recipient)
}

func kemOf(name string) (hpke.KEM, int, error) {
	switch name {
	case "xwing":
		return hpke.MLKEM768X25519(), 1120, nil
	case "x25519":
		return hpke.DHKEM(ecdh.X25519()), 32, nil
	}
	return nil, 0, fmt.Errorf("unknown key type %q", name)
}

// publicKey reads "xwing:..." or "x25519:...".
func publicKey(text string) (hpke.PublicKey, error) {
	prefix, encoded, _ := strings.Cut(text, ":")
	kem, _, err := kemOf(prefix)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	return kem.NewPublicKey(raw)
}

func textOf(prefix string, raw []byte) string {
	return prefix + ":" + base64.StdEncoding.EncodeToString(raw)
}

func entryKey(kem string, private []byte, at place, sealed []byte) (key *[32]byte, rest []byte, err error) {
	scheme, encLength, err := kemOf(kem)
	if err != nil {
		return nil, nil, err
	}
	if len(sealed) < encLength+24 {
		return nil, nil, errors.New("too short")
	}
	decapsulator, err := scheme.NewPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	recipient, err := hpke.NewRecipient(sealed[:encLength], decapsulator, hpke.HKDFSHA256(), hpke.ExportOnly(), at.entryInfo())
	if err != nil {
		return nil, nil, err
	}
	exported, err := recipient.Export("zopp/v1/secretbox", 32)
	if err != nil {
		return nil, nil, err
	}
	return (*[32]byte)(exported), sealed[encLength:], nil
}

func openEntry(kem string, private []byte, at place, sealed []byte) ([]byte, error) {
	key, rest, err := entryKey(kem, private, at, sealed)
	if err != nil {
		return nil, err
	}
	padded, ok := secretbox.Open(nil, rest[24:], (*[24]byte)(rest[:24]), key)
	if !ok {
		return nil, errors.New("the box does not open")
	}
	return unpad(padded)
}

func sealEntry(public string, at place, value []byte) ([]byte, error) {
	to, err := publicKey(public)
	if err != nil {
		return nil, err
	}
	enc, sender, err := hpke.NewSender(to, hpke.HKDFSHA256(), hpke.ExportOnly(), at.entryInfo())
	if err != nil {
		return nil, err
	}
	key, err := sender.Export("zopp/v1/secretbox", 32)
	if err != nil {
		return nil, err
	}
	var nonce [24]byte
	rand.Read(nonce[:])
	return secretbox.Seal(slices.Concat(enc, nonce[:]), pad(value), &nonce, (*[32]byte)(key)), nil
}

func wrap(public string, at place, private []byte) (to string, enc, wrapped []byte, err error) {
	recipient, err := publicKey(public)
	if err != nil {
		return "", nil, nil, err
	}
	prefix, _, _ := strings.Cut(public, ":")
	to = kid(prefix, recipient.Bytes())
	enc, sender, err := hpke.NewSender(recipient, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), at.wrapInfo(to))
	if err != nil {
		return "", nil, nil, err
	}
	wrapped, err = sender.Seal(nil, private)
	return to, enc, wrapped, err
}

// unwrap opens with the identity of a seed, and checks the key that comes out against the public one.
func unwrap(seed []byte, at place, enc, wrapped []byte, public string) ([]byte, error) {
	decapsulator, err := encryptionKeyOf(seed)
	if err != nil {
		return nil, err
	}
	info := at.wrapInfo(kid("xwing", decapsulator.PublicKey().Bytes()))
	recipient, err := hpke.NewRecipient(enc, decapsulator, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return nil, err
	}
	private, err := recipient.Open(nil, wrapped)
	if err != nil {
		return nil, err
	}
	expected, err := publicKey(public)
	if err != nil {
		return nil, err
	}
	unwrapped, err := expected.KEM().NewPrivateKey(private)
	if err != nil || !bytes.Equal(unwrapped.PublicKey().Bytes(), expected.Bytes()) {
		return nil, errors.New("not the environment's key")
	}
	return private, nil
}

func derive(seed []byte, use string) ([]byte, error) {
	return hkdf.Key(sha256.New, seed, nil, "zopp/v1/"+use, 32)
}

func encryptionKeyOf(seed []byte) (hpke.PrivateKey, error) {
	raw, err := derive(seed, "encryption")
	if err != nil {
		return nil, err
	}
	return hpke.MLKEM768X25519().NewPrivateKey(raw)
}
