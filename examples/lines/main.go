// Lines talks to a server that answers in lines of text over plain TCP: it sends its arguments, one a line, prints the lines that
// come back, and ends when there is one for each.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

type talk struct {
	ss.Queue
	line  []byte // what has come of the next line
	lines int
}

func (t *talk) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Creating {
		for _, a := range os.Args[1:] {
			must(0, t.Put(h, []byte(a+"\n")))
		}
	}
	return t.Queue.State(h, s, n)
}

// Rx receives bytes, not lines: a raw connection has no messages.
func (t *talk) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	for t.line = append(t.line, b...); bytes.IndexByte(t.line, '\n') >= 0; t.lines++ {
		var line []byte
		line, t.line, _ = bytes.Cut(t.line, []byte("\n"))
		fmt.Printf("%s\n", line)
	}
	if t.lines >= len(os.Args[1:]) {
		return ss.DestroyMe
	}
	return ss.OK
}

func main() {
	p := must(policy.Parse(must(os.ReadFile("policy.json"))))
	must(0, ss.Run(context.Background(), ss.Config{Policy: p}, ss.Info{StreamType: "lines", New: func(*ss.Handle) ss.Stream { return &talk{} }}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
