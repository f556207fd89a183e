// Holds a ledger's notes and proofs against Go's own checkers. It reads the evidence as JSON from standard input, refuses
// to end well unless everything good verifies and everything tampered fails, and answers with a note of its own making.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index, Size int64
	Hashes      [][]byte
	LeafHash    []byte
	Root        []byte
}

type consistency struct {
	First, Second         int64
	Hashes                [][]byte
	FirstRoot, SecondRoot []byte
}

type evidence struct {
	PrivateKey, VerifierKey, Origin string
	Checkpoints                     []string
	Leaves                          [][]byte
	Inclusions                      []inclusion
	Consistencies                   []consistency
}

type answer struct {
	Checkpoints, Inclusions, Consistencies, Refused int
	SignedWithYourKey                               string
	OwnVerifierKey, OwnPrivateKey, SignedWithOwnKey string
}

func main() {
	log.SetFlags(0)
	var in evidence
	must(json.NewDecoder(os.Stdin).Decode(&in))
	var out answer

	verifier, err := note.NewVerifier(in.VerifierKey)
	must(err)
	roots := checkCheckpoints(in, verifier, &out)
	for _, p := range in.Inclusions {
		checkInclusion(p, in.Leaves, roots, &out)
	}
	for _, p := range in.Consistencies {
		checkConsistency(p, roots, &out)
	}
	signNotes(in, roots, &out)
	must(json.NewEncoder(os.Stdout).Encode(out))
}

// checkCheckpoints opens the checkpoint of every size and compares its root with one that Go derives from the leaves.
func checkCheckpoints(in evidence, verifier note.Verifier, out *answer) []tlog.Hash {
	known := note.VerifierList(verifier)
	var stored storedHashes
	var roots []tlog.Hash
	for size, text := range in.Checkpoints {
		if size > 0 {
			hashes, err := tlog.StoredHashes(int64(size-1), in.Leaves[size-1], stored)
			must(err)
			stored = append(stored, hashes...)
		}
		root, err := tlog.TreeHash(int64(size), stored)
		must(err)
		if size == 0 {
			// sumdb has no root for the empty tree: take the one of RFC 6962 from the note.
			root = parseRoot(text)
		}
		opened, err := note.Open([]byte(text), known)
		must(err)
		if want := fmt.Sprintf("%s\n%d\n%s\n", in.Origin, size, root); opened.Text != want {
			log.Fatalf("checkpoint %d says %q, want %q", size, opened.Text, want)
		}
		forged := strings.Replace(text, fmt.Sprintf("\n%d\n", size), fmt.Sprintf("\n%d\n", size+1), 1)
		_, err = note.Open([]byte(forged), known)
		refused(err, out, "a checkpoint with another size")
		roots = append(roots, root)
		out.Checkpoints++
	}
	return roots
}

func checkInclusion(p inclusion, leaves [][]byte, roots []tlog.Hash, out *answer) {
	leaf := tlog.RecordHash(leaves[p.Index])
	if leaf != hash(p.LeafHash) || roots[p.Size] != hash(p.Root) {
		log.Fatalf("proof of %d in %d: leaf hash or root is another", p.Index, p.Size)
	}
	path := tlog.RecordProof(hashes(p.Hashes))
	must(tlog.CheckRecord(path, p.Size, roots[p.Size], p.Index, leaf))
	out.Inclusions++
	for i := range path {
		path[i][i%32] ^= 1
		refused(tlog.CheckRecord(path, p.Size, roots[p.Size], p.Index, leaf), out, "a path with a flipped bit")
		path[i][i%32] ^= 1
	}
	if p.Size > 1 {
		other := (p.Index + 1) % p.Size
		refused(tlog.CheckRecord(path, p.Size, roots[p.Size], other, leaf), out, "a path for another index")
	}
}

func checkConsistency(p consistency, roots []tlog.Hash, out *answer) {
	first, second := roots[p.First], roots[p.Second]
	if first != hash(p.FirstRoot) || second != hash(p.SecondRoot) {
		log.Fatalf("proof of %d in %d: a root is another", p.First, p.Second)
	}
	proof := tlog.TreeProof(hashes(p.Hashes))
	must(tlog.CheckTree(proof, p.Second, second, p.First, first))
	out.Consistencies++
	for i := range proof {
		proof[i][i%32] ^= 1
		refused(tlog.CheckTree(proof, p.Second, second, p.First, first), out, "a proof with a flipped bit")
		proof[i][i%32] ^= 1
	}
	if p.First < p.Second {
		refused(tlog.CheckTree(proof, p.Second, second, p.First, second), out, "a proof of another root")
	}
}

// signNotes signs the last tree with the ledger's private key and with one that Go generates.
func signNotes(in evidence, roots []tlog.Hash, out *answer) {
	last := len(roots) - 1
	text := fmt.Sprintf("%s\n%d\n%s\n", in.Origin, last, roots[last])
	sign := func(key string) string {
		signer, err := note.NewSigner(key)
		must(err)
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		must(err)
		return string(signed)
	}
	private, public, err := note.GenerateKey(rand.Reader, in.Origin)
	must(err)
	out.SignedWithYourKey = sign(in.PrivateKey)
	out.OwnPrivateKey, out.OwnVerifierKey, out.SignedWithOwnKey = private, public, sign(private)
}

type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, s[index])
	}
	return found, nil
}

func parseRoot(checkpoint string) tlog.Hash {
	root, err := tlog.ParseHash(strings.Split(checkpoint, "\n")[2])
	must(err)
	return root
}

func hashes(all [][]byte) []tlog.Hash {
	var out []tlog.Hash
	for _, one := range all {
		out = append(out, hash(one))
	}
	return out
}

func hash(bytes []byte) tlog.Hash {
	var out tlog.Hash
	if copy(out[:], bytes) != len(out) || len(bytes) != len(out) {
		log.Fatalf("a hash of %d bytes", len(bytes))
	}
	return out
}

func refused(err error, out *answer, what string) {
	if err == nil {
		log.Fatalf("%s was accepted", what)
	}
	out.Refused++
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
