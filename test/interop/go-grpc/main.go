// A stranger in Go: grpc-go over messages that it builds from a descriptor set, with none of the service's own code.
//
// It reads one JSON object from standard input: {"authority": "host:port", "willing": "host:port", "descriptors": "file"}.
// It writes what it found as another one. Without "willing" it calls Issue again and again until its input ends.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	audience = "urn:example:reviewer"
	callTime = 20 * time.Second
)

type fields = map[string]any

// failure is what a caller learns of a call that failed.
type failure struct {
	Code     string
	Reason   string
	Domain   string
	Metadata map[string]string
}

type client struct {
	conn  *grpc.ClientConn
	files *protoregistry.Files
}

func main() {
	var asked struct{ Authority, Willing, Descriptors string }
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	files := readDescriptors(asked.Descriptors)
	authority := dial(asked.Authority, files)
	defer authority.conn.Close()
	if asked.Willing == "" {
		load(authority)
		return
	}
	willing := dial(asked.Willing, files)
	defer willing.conn.Close()

	plain := useAuthority(authority)
	compressed := useAuthority(authority, grpc.UseCompressor(gzip.Name))
	must(json.NewEncoder(os.Stdout).Encode(fields{
		"plain":      plain,
		"compressed": compressed,
		"refused":    authority.refusal("Issue", fields{"exec_act": "a", "aud": []string{audience}, "iss": "urn:other"}),
		"malformed":  authority.refusal("AppendLedger", fields{"token": "a.b.c"}),
		"unknown":    authority.refusal("Nope", fields{}),
		"metadata":   withMetadata(authority),
		"late":       willing.late(),
		"cancelled":  willing.cancelled(),
		"large":      willing.refusal("Issue", fields{"exec_act": strings.Repeat("x", 5000)}),
	}))
}

// useAuthority issues, verifies and appends, and answers what must not differ between transports.
func useAuthority(c client, options ...grpc.CallOption) fields {
	issued := c.call("Issue", fields{"exec_act": "review_spec", "aud": []string{audience}, "input": []byte("test")}, options...)
	token := issued["token"].(string)
	verdicts := []any{}
	for range [2]int{} {
		verdict := c.call("Verify", fields{"token": token, "audience": audience}, options...)
		finding, _ := verdict["finding"].(fields)
		verdicts = append(verdicts, fields{"valid": verdict["valid"], "reason": finding["reason"]})
	}
	first := c.call("AppendLedger", fields{"token": token}, options...)
	again := c.call("AppendLedger", fields{"token": token}, options...)
	jti := issued["claims"].(fields)["jti"]
	return fields{
		"iss":        issued["claims"].(fields)["iss"],
		"verdicts":   verdicts,
		"recorded":   recordedTask(first)["name"].(fields)["jti"] == jti && recordedTask(first)["token"] == token,
		"duplicates": []any{first["duplicate"], again["duplicate"]},
		"sameEntry":  fmt.Sprint(first["entry"]) == fmt.Sprint(again["entry"]),
	}
}

func recordedTask(recorded fields) fields {
	return recorded["entry"].(fields)["task"].(fields)
}

func withMetadata(c client) string {
	pairs := metadata.Pairs("x-note", "a", "x-note", "b", "trace-bin", string([]byte{0, 1, 255}), "x-large", strings.Repeat("x", 4000))
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), pairs), callTime)
	defer cancel()
	_, err := c.try(ctx, "Issue", fields{"exec_act": "a", "aud": []string{audience}})
	return status.Code(err).String()
}

func (c client) late() string {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := c.try(ctx, "Issue", fields{"exec_act": "stuck"})
	return status.Code(err).String()
}

func (c client) cancelled() string {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := c.try(ctx, "Issue", fields{"exec_act": "hang"})
	return status.Code(err).String()
}

// refusal is the failure of a call that must fail.
func (c client) refusal(method string, request fields) failure {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, err := c.try(ctx, method, request)
	if err == nil {
		must(fmt.Errorf("%s was expected to fail", method))
	}
	found := failure{Code: status.Code(err).String()}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			found.Reason, found.Domain, found.Metadata = info.Reason, info.Domain, info.Metadata
		}
	}
	return found
}

// call is the answer of a call that must succeed.
func (c client) call(method string, request fields, options ...grpc.CallOption) fields {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	answer, err := c.try(ctx, method, request, options...)
	must(err)
	return answer
}

func (c client) try(ctx context.Context, name string, request fields, options ...grpc.CallOption) (fields, error) {
	input, output := c.messages(name)
	text, err := json.Marshal(request)
	must(err)
	must(protojson.Unmarshal(text, input))
	if err := c.conn.Invoke(ctx, "/ect.v1.AuthorityService/"+name, input, output, options...); err != nil {
		return nil, err
	}
	text, err = protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(output)
	must(err)
	answer := fields{}
	must(json.Unmarshal(text, &answer))
	return answer, nil
}

// messages are an empty request and an empty answer of a method; of a method that is not there, those of Issue.
func (c client) messages(name string) (proto.Message, proto.Message) {
	found, err := c.files.FindDescriptorByName("ect.v1.AuthorityService")
	must(err)
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	method := methods.ByName(protoreflect.Name(name))
	if method == nil {
		method = methods.ByName("Issue")
	}
	return dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
}

func readDescriptors(path string) *protoregistry.Files {
	bytes, err := os.ReadFile(path)
	must(err)
	set := &descriptorpb.FileDescriptorSet{}
	must(proto.Unmarshal(bytes, set))
	files, err := protodesc.NewFiles(set)
	must(err)
	return files
}

func dial(address string, files *protoregistry.Files) client {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	return client{conn, files}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
