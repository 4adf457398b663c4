package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// logRequest holds what is asked about a log: its lines, a checkpoint with the key of its signer, proofs and a tile.
type logRequest struct {
	Lines []string `json:"lines"`
	Note  string   `json:"note"`
	Vkey  string   `json:"vkey"`
	Index int64    `json:"index"`
	From  int64    `json:"from"`
	Size  int64    `json:"size"`
	Proof [][]byte `json:"proof"`
	Tile  string   `json:"tile"`
	Data  []byte   `json:"data"`
}

// checkpoint verifies a signed note and says what its three lines are.
func checkpoint(r request) (answer, error) {
	verifier, err := note.NewVerifier(r.Vkey)
	if err != nil {
		return nil, err
	}
	opened, err := note.Open([]byte(r.Note), note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, errors.New("not three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil, err
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	return answer{"origin": lines[0], "size": size, "root": root}, err
}

// tree computes the roots of the lines at two sizes by itself, and checks the proof: of inclusion of the record at an index,
// or where no index is asked for (-1), of growth from one size to the other.
func tree(r request) (answer, error) {
	hashes, err := storedHashes(r.Lines)
	if err != nil {
		return nil, err
	}
	root, err := tlog.TreeHash(r.Size, hashes)
	if err != nil {
		return nil, err
	}
	proof := make([]tlog.Hash, len(r.Proof))
	for at, step := range r.Proof {
		copy(proof[at][:], step)
	}
	if r.Index >= 0 {
		leaf := tlog.RecordHash([]byte(r.Lines[r.Index]))
		return answer{"root": root[:], "holds": tlog.CheckRecord(proof, r.Size, root, r.Index, leaf) == nil}, nil
	}
	from, err := tlog.TreeHash(r.From, hashes)
	if err != nil {
		return nil, err
	}
	return answer{"root": root[:], "holds": tlog.CheckTree(proof, r.Size, root, r.From, from) == nil}, nil
}

// tile says whether a tile's path and hashes are those of the lines.
func tile(r request) (answer, error) {
	// tlog names the tiles of the checksum database, which have their height in the path
	asked, err := tlog.ParseTilePath("tile/8/" + strings.TrimPrefix(r.Tile, "tile/"))
	if err != nil {
		return nil, err
	}
	hashes, err := storedHashes(r.Lines)
	if err != nil {
		return nil, err
	}
	data, err := tlog.ReadTileData(asked, hashes)
	return answer{"holds": bytes.Equal(data, r.Data)}, err
}

func storedHashes(lines []string) (hashList, error) {
	hashes := hashList{}
	for at, line := range lines {
		more, err := tlog.StoredHashes(int64(at), []byte(line), hashes)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, more...)
	}
	return hashes, nil
}

type hashList []tlog.Hash

func (l hashList) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for at, index := range indexes {
		if index >= int64(len(l)) {
			return nil, errors.New("no such hash")
		}
		found[at] = l[index]
	}
	return found, nil
}
