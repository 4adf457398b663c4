// The oracle: answers JSON requests, one a line, about the format that docs/format.md describes.
// It exists for oracle.test.ts, which compares its answers with those of crds/.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// request holds the fields of all operations; bytes are base64, digests hex.
type request struct {
	Operation string          `json:"operation"`
	Kem       string          `json:"kem"`
	Private   []byte          `json:"private"`
	Public    string          `json:"public"`
	Seed      []byte          `json:"seed"`
	Place     place           `json:"place"`
	Value     []byte          `json:"value"`
	Sealed    []byte          `json:"sealed"`
	Enc       []byte          `json:"enc"`
	Wrapped   []byte          `json:"wrapped"`
	Statement string          `json:"statement"`
	Fields    json.RawMessage `json:"fields"`
	Signature []byte          `json:"signature"`
	Workspace string          `json:"workspace"`
	Threshold int64           `json:"threshold"`
	Owners    []owner         `json:"owners"`
	Digest    string          `json:"digest"`
	Object    json.RawMessage `json:"object"`
	Policy    json.RawMessage `json:"policy"`
	Under     json.RawMessage `json:"under"`
	Baseline  json.RawMessage `json:"baseline"`
	logRequest
}

type owner struct {
	Name        string   `json:"name"`
	SigningKeys []string `json:"signingKeys"`
}

type answer = map[string]any

var operations = map[string]func(request) (answer, error){
	"open": func(r request) (answer, error) {
		value, err := openEntry(r.Kem, r.Private, r.Place, r.Sealed)
		return answer{"value": value}, err
	},
	"seal": func(r request) (answer, error) {
		sealed, err := sealEntry(r.Public, r.Place, r.Value)
		return answer{"sealed": sealed}, err
	},
	"wrap": func(r request) (answer, error) {
		to, enc, wrapped, err := wrap(r.Public, r.Place, r.Private)
		return answer{"to": to, "enc": enc, "wrapped": wrapped}, err
	},
	"unwrap": func(r request) (answer, error) {
		private, err := unwrap(r.Seed, r.Place, r.Enc, r.Wrapped, r.Public)
		return answer{"private": private}, err
	},
	"verify":     verify,
	"sign":       sign,
	"identity":   identity,
	"owners":     owners,
	"judge":      judge,
	"checkpoint": checkpoint,
	"tree":       tree,
	"tile":       tile,
	"token": func(r request) (answer, error) {
		digest, err := hex.DecodeString(r.Digest)
		if err != nil || len(digest) != 32 {
			return nil, errors.New("no digest")
		}
		return answer{"token": token(r.Seed, digest)}, nil
	},
}

func verify(r request) (answer, error) {
	body, message, err := statement(r.Statement, r.Fields)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(r.Public, "ed25519:"))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("no signing key")
	}
	return answer{"body": body, "hash": hexHash(message), "valid": ed25519.Verify(raw, message, r.Signature)}, nil
}

func sign(r request) (answer, error) {
	_, message, err := statement(r.Statement, r.Fields)
	if err != nil {
		return nil, err
	}
	raw, err := derive(r.Seed, "signing")
	if err != nil {
		return nil, err
	}
	return answer{"signature": ed25519.Sign(ed25519.NewKeyFromSeed(raw), message)}, nil
}

func identity(r request) (answer, error) {
	raw, err := derive(r.Seed, "signing")
	if err != nil {
		return nil, err
	}
	decapsulator, err := encryptionKeyOf(r.Seed)
	if err != nil {
		return nil, err
	}
	signing := ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey)
	encryption := decapsulator.PublicKey().Bytes()
	return answer{
		"signingKey": textOf("ed25519", signing), "signingKid": kid("ed25519", signing),
		"encryptionKey": textOf("xwing", encryption), "encryptionKid": kid("xwing", encryption),
	}, nil
}

// owners is the owners' digest: owners by name, each with its name, count of devices and signing keys in order.
func owners(r request) (answer, error) {
	slices.SortFunc(r.Owners, func(one, other owner) int { return strings.Compare(one.Name, other.Name) })
	parts := []string{r.Workspace, strconv.FormatInt(r.Threshold, 10)}
	for _, owner := range r.Owners {
		slices.Sort(owner.SigningKeys)
		parts = append(parts, owner.Name, strconv.Itoa(len(owner.SigningKeys)))
		parts = append(parts, owner.SigningKeys...)
	}
	return answer{"digest": hexHash(pae("zopp/v1/owners", parts...))}, nil
}

func respond(line []byte) answer {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{"error": err.Error()}
	}
	operation, known := operations[r.Operation]
	if !known {
		return answer{"error": fmt.Sprintf("unknown operation %q", r.Operation)}
	}
	result, err := operation(r)
	if err != nil {
		return answer{"error": err.Error()}
	}
	return result
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(respond(lines.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
