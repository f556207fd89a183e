package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

const callers = 4

// load calls Issue from a few goroutines until standard input ends, and writes how many calls were answered and how the others
// were rejected. It says "ready" after the first answer.
func load(c client) {
	c.call("Issue", fields{"exec_act": "review_spec", "aud": []string{audience}})
	os.Stdout.WriteString("\"ready\"\n")
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	var answered atomic.Int64
	var mutex sync.Mutex
	failed := []string{}
	var group sync.WaitGroup
	for range [callers]int{} {
		group.Go(func() {
			for ctx.Err() == nil {
				call, end := context.WithTimeout(context.Background(), callTime)
				_, err := c.try(call, "Issue", fields{"exec_act": "review_spec", "aud": []string{audience}})
				end()
				if err == nil {
					answered.Add(1)
					continue
				}
				mutex.Lock()
				failed = append(failed, err.Error())
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	must(json.NewEncoder(os.Stdout).Encode(fields{"answered": answered.Load(), "failed": failed}))
}
