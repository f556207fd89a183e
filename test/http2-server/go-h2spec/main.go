// Runs every case of h2spec, strict ones too, against the port that is named, and answers on standard output with those that
// failed, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

type failure struct {
	Case, Error string
}

type report struct {
	Passed, Skipped int
	Failures        []failure
}

func (r *report) add(group *spec.TestGroup) {
	for at, test := range append(append([]*spec.TestCase{}, group.Tests...), group.StrictTests...) {
		if test.Result == nil || !test.Result.Failed {
			continue
		}
		name := fmt.Sprintf("%s/%d %s", group.ID(), at+1, test.Desc)
		r.Failures = append(r.Failures, failure{Case: name, Error: test.Result.Error.Error()})
	}
	for _, inner := range group.Groups {
		r.add(inner)
	}
}

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	// The cases print as they run; standard output is kept for the report.
	out := os.Stdout
	os.Stdout = os.Stderr
	settings := &config.Config{
		Host: "127.0.0.1", Port: port, Path: "/healthz",
		Timeout: 10 * time.Second, MaxHeaderLen: 4000, Strict: true,
	}
	all := report{}
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(settings)
		all.Passed += group.PassedCount
		all.Skipped += group.SkippedCount
		all.add(group)
	}
	if err := json.NewEncoder(out).Encode(all); err != nil {
		panic(err)
	}
}
