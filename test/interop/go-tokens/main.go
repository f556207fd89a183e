// Makes and reads Execution Context Tokens with go-jose, in the shape that the reference implementations give them. Reads one
// JSON object from standard input and writes one: {"make": {"aud": …}} answers tokens of both drafts and the issuers to
// trust for them; {"read": {"tokens": […], "jwks": {…}}} answers what go-jose reads from each token, and refuses to end
// well unless it refuses the token once a bit is flipped.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	jose "github.com/go-jose/go-jose/v3"
)

type object = map[string]any

type request struct {
	Make *struct{ Aud string }
	Read *struct {
		Tokens []string
		Jwks   jose.JSONWebKeySet
	}
}

var types = map[string]jose.ContentType{"00": "wimse-exec+jwt", "01": "exec+jwt"}

func main() {
	log.SetFlags(0)
	var asked request
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	var answer any
	if asked.Make != nil {
		answer = makeTokens(asked.Make.Aud)
	} else {
		answer = readTokens(asked.Read.Tokens, asked.Read.Jwks)
	}
	must(json.NewEncoder(os.Stdout).Encode(answer))
}

func makeTokens(aud string) object {
	issuers, tokens := []object{}, []object{}
	for alg, key := range newKeys() {
		iss := fmt.Sprintf("spiffe://go.example/go-jose/%s", alg)
		jwk := jose.JSONWebKey{Key: key, KeyID: fmt.Sprintf("go-%s-key", alg), Algorithm: string(alg), Use: "sig"}
		issuers = append(issuers, object{"iss": iss, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}})
		for draft := range types {
			wid := newUUID()
			root := claimsOf(draft, iss, aud, wid, []string{})
			child := claimsOf(draft, iss, aud, wid, []string{root["jti"].(string)})
			for _, claims := range []object{root, child} {
				tokens = append(tokens, object{"draft": draft, "claims": claims, "token": sign(claims, alg, jwk, types[draft])})
			}
		}
	}
	return object{"issuers": issuers, "tokens": tokens}
}

func newKeys() map[jose.SignatureAlgorithm]crypto.Signer {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	return map[jose.SignatureAlgorithm]crypto.Signer{jose.ES256: p256, jose.ES384: p384, jose.EdDSA: edwards, jose.PS256: modulus}
}

func claimsOf(draft, iss, aud, wid string, predecessors []string) object {
	now := time.Now().Unix()
	digest := sha256.Sum256([]byte("test"))
	hash := base64.RawURLEncoding.EncodeToString(digest[:])
	claims := object{
		"iss": iss, "aud": []string{aud}, "iat": now, "exp": now + 600,
		"jti": newUUID(), "wid": wid, "exec_act": "review_spec",
	}
	own := object{"com.example.tool": "naïve <&>", "com.example.cost": 0.25}
	if draft == "00" {
		claims["par"], claims["inp_hash"], claims["ext"] = predecessors, "sha-256:"+hash, own
		claims["pol"], claims["pol_decision"], claims["pol_enforcer"] = "spec_review_policy_v2", "approved", iss
		return claims
	}
	own["pol"], own["pol_decision"] = "spec_review_policy_v2", "approved"
	claims["pred"], claims["inp_hash"], claims["ect_ext"] = predecessors, hash, own
	return claims
}

func sign(claims object, alg jose.SignatureAlgorithm, key jose.JSONWebKey, typ jose.ContentType) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(typ))
	must(err)
	payload, err := json.Marshal(claims)
	must(err)
	signed, err := signer.Sign(payload)
	must(err)
	token, err := signed.CompactSerialize()
	must(err)
	return token
}

func readTokens(tokens []string, jwks jose.JSONWebKeySet) []object {
	answers := []object{}
	for _, token := range tokens {
		payload, header, err := verify(token, jwks)
		must(err)
		var claims object
		must(json.Unmarshal(payload, &claims))
		if _, _, err := verify(flipped(token), jwks); err == nil {
			log.Fatal("a token with another signature was accepted")
		}
		head := object{"alg": header.Algorithm, "kid": header.KeyID, "typ": header.ExtraHeaders[jose.HeaderType]}
		answers = append(answers, object{"header": head, "claims": claims})
	}
	return answers
}

func verify(token string, jwks jose.JSONWebKeySet) ([]byte, jose.Header, error) {
	signed, err := jose.ParseSigned(token)
	must(err)
	header := signed.Signatures[0].Header
	payload, err := signed.Verify(jwks.Key(header.KeyID)[0])
	return payload, header, err
}

// flipped changes one bit of the signature.
func flipped(token string) string {
	at := len(token) - 40
	letter := byte('A')
	if token[at] == 'A' {
		letter = 'B'
	}
	return token[:at] + string(letter) + token[at+1:]
}

func newUUID() string {
	var octets [16]byte
	_, err := rand.Read(octets[:])
	must(err)
	octets[6], octets[8] = octets[6]&0x0f|0x40, octets[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", octets[:4], octets[4:6], octets[6:8], octets[8:10], octets[10:])
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
