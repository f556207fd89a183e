// Holds what a running service gave out against Go's own checkers: a token against the published keys with go-jose, and a
// receipt against the ledger's verifier key with sumdb. It reads the evidence as JSON from the file that it is given, and
// refuses to end well unless everything good verifies and everything tampered fails.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	jose "github.com/go-jose/go-jose/v3"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The service's own JSON, as it answered: 64-bit integers are strings, bytes are base64.
type evidence struct {
	Token       string
	Jwks        jose.JSONWebKeySet
	VerifierKey string
	Receipt     struct {
		Leaf      []byte
		Inclusion struct {
			LeafIndex  int64 `json:",string"`
			TreeSize   int64 `json:",string"`
			Hashes     [][]byte
			Checkpoint string
			Salt       []byte
		}
	}
}

type answer struct {
	Kid, Typ, Jti, Origin string
	LeafIndex, TreeSize   int64
	Refused               int
}

func main() {
	log.SetFlags(0)
	var in evidence
	file, err := os.Open(os.Args[1])
	must(err)
	must(json.NewDecoder(file).Decode(&in))
	var out answer
	checkToken(in, &out)
	checkReceipt(in, &out)
	must(json.NewEncoder(os.Stdout).Encode(out))
}

func checkToken(in evidence, out *answer) {
	signed, err := jose.ParseSigned(in.Token)
	must(err)
	header := signed.Signatures[0].Header
	if header.Algorithm != string(jose.ES256) {
		log.Fatalf("alg is %q", header.Algorithm)
	}
	key := in.Jwks.Key(header.KeyID)[0]
	payload, err := signed.Verify(key)
	must(err)
	var claims struct{ Jti string }
	must(json.Unmarshal(payload, &claims))
	out.Kid, out.Jti = header.KeyID, claims.Jti
	out.Typ, _ = header.ExtraHeaders[jose.HeaderType].(string)

	parts := strings.Split(in.Token, ".")
	other := base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte(`"iss"`), []byte(`"Iss"`), 1))
	forged, err := jose.ParseSigned(strings.Join([]string{parts[0], other, parts[2]}, "."))
	must(err)
	_, err = forged.Verify(key)
	refused(err, out, "a token with another payload")
}

func checkReceipt(in evidence, out *answer) {
	receipt := in.Receipt.Inclusion
	verifier, err := note.NewVerifier(in.VerifierKey)
	must(err)
	opened, err := note.Open([]byte(receipt.Checkpoint), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() || lines[1] != fmt.Sprint(receipt.TreeSize) {
		log.Fatalf("the checkpoint says %q", opened.Text)
	}
	root, err := tlog.ParseHash(lines[2])
	must(err)

	var path tlog.RecordProof
	for _, hash := range receipt.Hashes {
		path = append(path, *(*tlog.Hash)(hash))
	}
	leaf := tlog.RecordHash(in.Receipt.Leaf)
	must(tlog.CheckRecord(path, receipt.TreeSize, root, receipt.LeafIndex, leaf))
	checkCommitment(in)
	out.Origin, out.LeafIndex, out.TreeSize = lines[0], receipt.LeafIndex, receipt.TreeSize

	otherLeaf := tlog.RecordHash(append([]byte(nil), in.Receipt.Leaf[1:]...))
	refused(tlog.CheckRecord(path, receipt.TreeSize, root, receipt.LeafIndex, otherLeaf), out, "another leaf")
	refused(tlog.CheckRecord(path, receipt.TreeSize, root, receipt.LeafIndex-1, leaf), out, "another index")
	forged := strings.Replace(receipt.Checkpoint, "\n"+lines[1]+"\n", "\n"+lines[1]+"0\n", 1)
	_, err = note.Open([]byte(forged), note.VerifierList(verifier))
	refused(err, out, "a checkpoint of another size")
}

// checkCommitment shows that the leaf is about this very token.
func checkCommitment(in evidence) {
	var leaf struct{ Commitment string }
	must(json.Unmarshal(in.Receipt.Leaf, &leaf))
	hash := sha256.Sum256(append(in.Receipt.Inclusion.Salt, in.Token...))
	if leaf.Commitment != base64.RawURLEncoding.EncodeToString(hash[:]) {
		log.Fatal("the leaf commits to another token")
	}
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
