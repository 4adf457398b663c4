// Whole objects, from docs/format.md: which statements a workspace, an environment, a baseline and a bundle hold, their digests, and
// which of their signatures hold by the keys that the policy names.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Spec map[string]json.RawMessage `json:"spec"`
}

type signature struct {
	By    string `json:"by"`
	Value string `json:"value"`
}

type author struct {
	SigningKey string `json:"signingKey"`
}

type entry struct {
	Version   json.RawMessage `json:"version"`
	By        string          `json:"by"`
	Expires   json.RawMessage `json:"expires"`
	Retired   json.RawMessage `json:"retired"`
	Sealed    *string         `json:"sealed"`
	Signature string          `json:"signature"`
	To        string          `json:"to"`
}

type fields = map[string]any

// signers are signing keys by kid.
type signers map[string]ed25519.PublicKey

// add takes a key in, unless there is one with its kid.
func (s signers) add(text string) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(text, "ed25519:"))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return fmt.Errorf("no signing key: %s", text)
	}
	if id := kid("ed25519", raw); s[id] == nil {
		s[id] = raw
	}
	return nil
}

func signersOf(policy object) (signers, error) {
	var principals []struct {
		Devices []author `json:"devices"`
	}
	if err := json.Unmarshal(policy.Spec["principals"], &principals); err != nil {
		return nil, err
	}
	found := signers{}
	for _, principal := range principals {
		for _, device := range principal.Devices {
			if err := found.add(device.SigningKey); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (s signers) verify(by, value string, message []byte) bool {
	key, known := s[by]
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	return known && err == nil && ed25519.Verify(key, message, raw)
}

// stated gives the bytes under the signature of a statement with these fields; absent ones are left out.
func stated(name string, parts fields) ([]byte, error) {
	for field, value := range parts {
		if raw, isRaw := value.(json.RawMessage); isRaw && raw == nil || value == "" {
			delete(parts, field)
		}
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	_, message, err := statement(name, text)
	return message, err
}

func allBut(spec map[string]json.RawMessage, left string, more fields) fields {
	for name, value := range spec {
		if name != left {
			more[name] = value
		}
	}
	return more
}

// judge answers a whole object's digest and, in their order or by their names, whether its signatures hold.
func judge(r request) (answer, error) {
	var given, policy, environment, baseline object
	for _, part := range []struct {
		text json.RawMessage
		into *object
	}{{r.Object, &given}, {r.Policy, &policy}, {r.Under, &environment}, {r.Baseline, &baseline}} {
		if part.text == nil {
			continue
		}
		if err := json.Unmarshal(part.text, part.into); err != nil {
			return nil, err
		}
	}
	known, err := signersOf(policy)
	if err != nil {
		return nil, err
	}
	switch given.Kind {
	case "ZoppWorkspace":
		if err := dropStepSignatures(given.Spec); err != nil {
			return nil, err
		}
		return judgeSigned("workspace", "workspace", given, fields{"workspace": given.Metadata.Name}, known)
	case "ZoppEnvironment":
		return judgeSigned("environment", "environment-approval", given, fields{}, known)
	case "ZoppBaseline":
		return judgeSigned("baseline", "baseline-approval", given, fields{}, known)
	case "ZoppSecret":
		return judgeListed(given, environment, baseline, known)
	}
	return nil, fmt.Errorf("unknown kind %q", given.Kind)
}

// dropStepSignatures leaves out of a workspace what its statement does not cover beside its own signatures.
func dropStepSignatures(spec map[string]json.RawMessage) error {
	if spec["rotations"] == nil {
		return nil
	}
	var steps []map[string]json.RawMessage
	if err := json.Unmarshal(spec["rotations"], &steps); err != nil {
		return err
	}
	for _, step := range steps {
		delete(step, "signatures")
	}
	text, err := json.Marshal(steps)
	spec["rotations"] = text
	return err
}

// judgeSigned is for what carries its signatures in a list: the first is over one statement, the others over another.
func judgeSigned(first, others string, given object, more fields, known signers) (answer, error) {
	var signatures []signature
	if err := json.Unmarshal(given.Spec["signatures"], &signatures); err != nil {
		return nil, err
	}
	parts := allBut(given.Spec, "signatures", more)
	message, err := stated(first, parts)
	if err != nil {
		return nil, err
	}
	other, err := stated(others, parts)
	if err != nil {
		return nil, err
	}
	digest, holds := hexHash(message), []bool{}
	for at, signature := range signatures {
		if at > 0 {
			message = other
		}
		holds = append(holds, known.verify(signature.By, signature.Value, message))
	}
	return answer{"digest": digest, "signatures": holds}, nil
}

// bindings gives the binding of each epoch by the kid of its key, and that of the newest.
func bindings(environment object) (of map[string]string, newest string, err error) {
	var keys []struct {
		Binding string `json:"binding"`
		Public  string `json:"public"`
	}
	if err := json.Unmarshal(environment.Spec["keys"], &keys); err != nil {
		return nil, "", err
	}
	of = map[string]string{}
	for _, key := range keys {
		public, err := publicKey(key.Public)
		if err != nil {
			return nil, "", err
		}
		prefix, _, _ := strings.Cut(key.Public, ":")
		of[kid(prefix, public.Bytes())], newest = key.Binding, key.Binding
	}
	return of, newest, nil
}

func placed(given object, binding string) fields {
	at := fields{"environment": given.Spec["environment"], "namespace": "*", "name": "*"}
	if binding != "environment" {
		at["namespace"], at["name"] = given.Metadata.Namespace, given.Metadata.Name
	}
	return at
}

// judgeListed judges a bundle. Where the baseline lists exactly this one, its authors' keys stand beside the policy's.
func judgeListed(given, environment, baseline object, known signers) (answer, error) {
	judged, err := judgeBundle(given, environment, known)
	if err != nil || baseline.Spec == nil {
		return judged, err
	}
	var bundles []struct{ Namespace, Name, Digest string }
	if err := json.Unmarshal(baseline.Spec["bundles"], &bundles); err != nil {
		return nil, err
	}
	for _, bundle := range bundles {
		at := given.Metadata
		if bundle.Namespace != at.Namespace || bundle.Name != at.Name || bundle.Digest != judged["digest"] {
			continue
		}
		var authors []author
		if err := json.Unmarshal(baseline.Spec["authors"], &authors); err != nil {
			return nil, err
		}
		for _, each := range authors {
			if err := known.add(each.SigningKey); err != nil {
				return nil, err
			}
		}
		return judgeBundle(given, environment, known)
	}
	return judged, nil
}

func judgeBundle(given, environment object, known signers) (answer, error) {
	of, newest, err := bindings(environment)
	if err != nil {
		return nil, err
	}
	var header entry
	data := map[string]entry{}
	if err := json.Unmarshal(given.Spec["header"], &header); err != nil {
		return nil, err
	}
	if raw := given.Spec["data"]; raw != nil {
		if err := json.Unmarshal(raw, &data); err != nil {
			return nil, err
		}
	}
	parts := placed(given, newest)
	parts["version"], parts["by"] = header.Version, header.By
	for _, field := range []string{"target", "render", "restart", "generate", "rotation"} {
		parts[field] = given.Spec[field]
	}
	message, err := stated("header", parts)
	if err != nil {
		return nil, err
	}
	hashes, holds := map[string]any{}, answer{}
	head, headHolds := hexHash(message), known.verify(header.By, header.Signature, message)
	for key, entry := range data {
		binding := newest
		if entry.Sealed != nil {
			binding = of[entry.To]
		}
		message, err := statedEntry(placed(given, binding), key, entry)
		if err != nil {
			return nil, err
		}
		hashes[key], holds[key] = hexHash(message), known.verify(entry.By, entry.Signature, message)
	}
	var out bytes.Buffer
	if err := canonical(&out, map[string]any{"header": head, "entries": hashes}); err != nil {
		return nil, err
	}
	return answer{"digest": hexHash(out.Bytes()), "header": headHolds, "entries": holds}, nil
}

func statedEntry(parts fields, key string, entry entry) ([]byte, error) {
	parts["key"], parts["version"], parts["by"], parts["to"] = key, entry.Version, entry.By, entry.To
	parts["expires"], parts["retired"] = entry.Expires, entry.Retired
	if entry.Sealed != nil {
		raw, err := base64.StdEncoding.Strict().DecodeString(*entry.Sealed)
		if err != nil {
			return nil, err
		}
		parts["hash"] = hexHash(raw)
	}
	return stated("entry", parts)
}
