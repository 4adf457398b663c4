// Encodings of the format, written from docs/format.md: PAE, kid, restricted JCS, DSSE, padding, tokens.
// Shares no code with crds/; that is its point.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// pae is label, LF, LE64 of the count, then LE64 of the length and the bytes of each part.
func pae(label string, parts ...string) []byte {
	out := append([]byte(label), '\n')
	out = binary.LittleEndian.AppendUint64(out, uint64(len(parts)))
	for _, part := range parts {
		out = binary.LittleEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

func hexHash(message []byte) string {
	sum := sha256.Sum256(message)
	return hex.EncodeToString(sum[:])
}

func kid(prefix string, raw []byte) string {
	sum := sha256.Sum256(pae("zopp/v1/kid", prefix, string(raw)))
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])
	return "zk1" + strings.ToLower(text)
}

// prune drops what means nothing from object members, bottom-up, and leaves arrays their length.
func prune(value any) (any, bool) {
	switch value := value.(type) {
	case bool:
		return value, value
	case []any:
		kept := make([]any, len(value))
		for at, item := range value {
			kept[at], _ = prune(item)
		}
		return kept, len(kept) > 0
	case map[string]any:
		kept := map[string]any{}
		for name, member := range value {
			if pruned, keep := prune(member); keep {
				kept[name] = pruned
			}
		}
		return kept, len(kept) > 0
	}
	return value, true
}

// canonical writes RFC 8785 for objects, arrays, strings, integers below 2^53 and true.
func canonical(out *bytes.Buffer, value any) error {
	switch value := value.(type) {
	case bool:
		if !value {
			return errors.New("false has no canonical form")
		}
		out.WriteString("true")
	case string:
		canonicalString(out, value)
	case json.Number:
		number, err := strconv.ParseInt(value.String(), 10, 64)
		if err != nil || number >= 1<<53 || number <= -(1<<53) {
			return errors.New("only integers below 2^53 have a canonical form")
		}
		out.WriteString(strconv.FormatInt(number, 10))
	case []any:
		return canonicalList(out, "[]", len(value), func(at int) error { return canonical(out, value[at]) })
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		slices.SortFunc(names, func(one, other string) int {
			return slices.Compare(utf16.Encode([]rune(one)), utf16.Encode([]rune(other)))
		})
		return canonicalList(out, "{}", len(names), func(at int) error {
			canonicalString(out, names[at])
			out.WriteByte(':')
			return canonical(out, value[names[at]])
		})
	default:
		return fmt.Errorf("%T has no canonical form", value)
	}
	return nil
}

func canonicalList(out *bytes.Buffer, brackets string, count int, write func(at int) error) error {
	out.WriteByte(brackets[0])
	for at := range count {
		if at > 0 {
			out.WriteByte(',')
		}
		if err := write(at); err != nil {
			return err
		}
	}
	out.WriteByte(brackets[1])
	return nil
}

func canonicalString(out *bytes.Buffer, text string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	out.WriteByte('"')
	for _, character := range text {
		if escaped, ok := short[character]; ok {
			out.WriteString(escaped)
		} else if character < 0x20 {
			fmt.Fprintf(out, `\u%04x`, character)
		} else {
			out.WriteRune(character)
		}
	}
	out.WriteByte('"')
}

// statement gives the canonical body of a statement's fields and the bytes under its signature (DSSE).
func statement(name string, fields json.RawMessage) (body string, message []byte, err error) {
	decoder := json.NewDecoder(bytes.NewReader(fields))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", nil, err
	}
	pruned, _ := prune(value)
	var out bytes.Buffer
	if err := canonical(&out, pruned); err != nil {
		return "", nil, err
	}
	mediaType := "application/vnd.zopp." + name + ".v1+json"
	body = out.String()
	return body, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(mediaType), mediaType, len(body), body), nil
}

// paddedLength is the bucket of a value: 64, 128 ... 4096, then Padme's lengths; one byte of padding at least.
func paddedLength(length int) int {
	needed := length + 1
	if needed <= 4096 {
		return max(64, 1<<bits.Len(uint(needed-1)))
	}
	exponent := bits.Len(uint(needed)) - 1
	free := exponent - bits.Len(uint(exponent))
	mask := 1<<free - 1
	return (needed + mask) &^ mask
}

func pad(value []byte) []byte {
	padded := make([]byte, paddedLength(len(value)))
	copy(padded, value)
	padded[len(value)] = 0x80
	return padded
}

func unpad(padded []byte) ([]byte, error) {
	end := len(bytes.TrimRight(padded, "\x00")) - 1
	if end < 0 || padded[end] != 0x80 || paddedLength(end) != len(padded) {
		return nil, errors.New("bad padding")
	}
	return padded[:end], nil
}

const base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func base62(number *big.Int, width int) string {
	digits := make([]byte, width)
	rest, base, digit := new(big.Int).Set(number), big.NewInt(62), new(big.Int)
	for at := width - 1; at >= 0; at-- {
		rest.DivMod(rest, base, digit)
		digits[at] = base62Digits[digit.Int64()]
	}
	return string(digits)
}

// token is zopp_, 65 digits of seed and half the owners' digest, 6 of the CRC-32 of all that.
func token(seed []byte, owners []byte) string {
	body := "zopp_" + base62(new(big.Int).SetBytes(slices.Concat(seed, owners[:16])), 65)
	return body + base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), 6)
}
