// Issues, verifies, records and checks one task: go run . [host:port]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	ectv1 "example.com/client/gen/ect/v1"
)

const reader = "urn:example:reader"

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(address); err != nil {
		log.Fatal(err)
	}
}

func run(address string) error {
	security, err := transportCredentials()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(security))
	if err != nil {
		return err
	}
	defer conn.Close()
	authority := ectv1.NewAuthorityServiceClient(conn)

	// One deadline for all calls.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	task := &ectv1.IssueRequest{
		ExecAct:      "review_spec",
		Aud:          []string{reader},
		InputBinding: &ectv1.IssueRequest_Input{Input: []byte("the draft")},
		// A retry with the same id returns the same token.
		RequestId: uuid.NewString(),
	}
	issued, err := authority.Issue(ctx, task)
	if err != nil {
		return err
	}
	fmt.Println("issued", issued.Claims.Jti)

	verdict, err := authority.Verify(ctx, &ectv1.VerifyRequest{
		Token:        issued.Token,
		Audience:     reader,
		InputBinding: &ectv1.VerifyRequest_Input{Input: []byte("the draft")},
	})
	if err != nil {
		return err
	}
	if verdict.GetValid() {
		fmt.Println("valid")
	} else {
		fmt.Println(verdict.Finding.Reason)
	}

	recorded, err := authority.AppendLedger(ctx, &ectv1.AppendLedgerRequest{Token: issued.Token})
	if err != nil {
		return err
	}
	fmt.Println("recorded at", recorded.Entry.GetIndex())

	graph, err := authority.ValidateDAG(ctx, &ectv1.ValidateDAGRequest{
		Subject: &ectv1.ValidateDAGRequest_Token{Token: issued.Token},
	})
	if err != nil {
		return err
	}
	fmt.Println("graph", graph.DagReport.Status)

	task.Iss = "urn:example:another"
	_, err = authority.Issue(ctx, task)
	info := errorInfo(err)
	if info == nil {
		return err // The error does not come from the service, for example because the connection was refused.
	}
	fmt.Println("refused", info.Reason, info.Metadata["iss"])
	return nil
}

// errorInfo returns the ErrorInfo of an error. Programs use it; the message of the error is for people.
func errorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// transportCredentials returns credentials for cleartext, or for TLS with the certificate of this workload where ECT_CA, ECT_CERT and ECT_KEY name PEM files.
func transportCredentials() (credentials.TransportCredentials, error) {
	if os.Getenv("ECT_CERT") == "" {
		return insecure.NewCredentials(), nil
	}
	own, err := tls.LoadX509KeyPair(os.Getenv("ECT_CERT"), os.Getenv("ECT_KEY"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(os.Getenv("ECT_CA"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("ECT_CA has no certificate")
	}
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots}), nil
}
