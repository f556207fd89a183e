// Rival: a bare grpc-go server with the same schema, which does the one operation that nobody can do without, with
// crypto/ecdsa, and answers as many bytes as we do. Arguments: sign or verify, the PKCS#8 key, a file with one of our answers.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	ectv1 "example.com/rival/gen/ect/v1"
)

// The bytes of a raw ES256 signature: what takes its place in a token is as long.
const rawSignatureBytes = 64

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: rival sign|verify KEY-FILE ANSWER-FILE")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(work, keyFile, answerFile string) error {
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	answer, err := os.ReadFile(answerFile)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	switch work {
	case "sign":
		service, err := newSigning(key, answer)
		if err != nil {
			return err
		}
		ectv1.RegisterAuthorityServiceServer(server, service)
	case "verify":
		template := new(ectv1.VerifyResponse)
		if err := proto.Unmarshal(answer, template); err != nil {
			return err
		}
		ectv1.RegisterAuthorityServiceServer(server, &verifying{key: &key.PublicKey, template: template})
	default:
		return fmt.Errorf("there is no work %q", work)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return server.Serve(listener)
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signing, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is no ECDSA key")
	}
	return signing, nil
}

// signing answers our token with a signature of its own in the place of ours.
type signing struct {
	ectv1.UnimplementedAuthorityServiceServer
	key        *ecdsa.PrivateKey
	template   *ectv1.IssueResponse
	signedText string
}

func newSigning(key *ecdsa.PrivateKey, answer []byte) (*signing, error) {
	template := new(ectv1.IssueResponse)
	if err := proto.Unmarshal(answer, template); err != nil {
		return nil, err
	}
	return &signing{key: key, template: template, signedText: template.Token[:strings.LastIndexByte(template.Token, '.')+1]}, nil
}

func (s *signing) Issue(context.Context, *ectv1.IssueRequest) (*ectv1.IssueResponse, error) {
	digest := sha256.Sum256([]byte(s.signedText[:len(s.signedText)-1]))
	der, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &ectv1.IssueResponse{
		Token:     s.signedText + base64.RawURLEncoding.EncodeToString(der[:rawSignatureBytes]),
		Claims:    s.template.Claims,
		Kid:       s.template.Kid,
		Level:     s.template.Level,
		DagReport: s.template.DagReport,
		Checks:    s.template.Checks,
	}, nil
}

type verifying struct {
	ectv1.UnimplementedAuthorityServiceServer
	key      *ecdsa.PublicKey
	template *ectv1.VerifyResponse
}

func (s *verifying) Verify(_ context.Context, request *ectv1.VerifyRequest) (*ectv1.VerifyResponse, error) {
	end := strings.LastIndexByte(request.Token, '.')
	if end < 0 {
		return nil, status.Error(codes.InvalidArgument, "no compact token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(request.Token[end+1:])
	if err != nil || len(raw) != rawSignatureBytes {
		return nil, status.Error(codes.InvalidArgument, "no ES256 signature")
	}
	digest := sha256.Sum256([]byte(request.Token[:end]))
	if !ecdsa.VerifyASN1(s.key, digest[:], derOf(raw)) {
		return nil, status.Error(codes.InvalidArgument, "the signature is wrong")
	}
	return s.template, nil
}

// derOf spells r and s as a SEQUENCE of two INTEGERs.
func derOf(raw []byte) []byte {
	der := make([]byte, 2, 2+2*(2+1+rawSignatureBytes/2))
	for _, number := range [][]byte{raw[:rawSignatureBytes/2], raw[rawSignatureBytes/2:]} {
		for len(number) > 1 && number[0] == 0 {
			number = number[1:]
		}
		if number[0] >= 0x80 {
			der = append(der, 2, byte(len(number)+1), 0)
		} else {
			der = append(der, 2, byte(len(number)))
		}
		der = append(der, number...)
	}
	der[0], der[1] = 0x30, byte(len(der)-2)
	return der
}
