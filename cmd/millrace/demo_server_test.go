package main

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// TestDemoServerVerify checks the states of a server stream, and those of the streams that it accepts.
func TestDemoServerVerify(t *testing.T) {
	listener := &ss.Handle{}
	accepted := func(states ...ss.State) *trace {
		all := append([]ss.State{ss.Creating, ss.Connecting, ss.Connected}, states...)
		return &trace{server: listener, states: append(all, ss.Disconnected, ss.Destroying)}
	}
	for _, c := range []struct {
		name   string
		own    []ss.State
		traces []*trace
		want   string // "" for no fault
	}{
		{"no fault", []ss.State{ss.Creating, ss.Destroying}, []*trace{accepted(ss.ServerTxn, ss.ServerTxn)}, ""},
		{"still alive", []ss.State{ss.Creating}, []*trace{accepted(ss.ServerTxn, ss.ServerTxn)}, "states: got CREATING; want CREATING > DESTROYING"},
		{"one request less", []ss.State{ss.Creating, ss.Destroying}, []*trace{accepted(ss.ServerTxn)},
			"accepted 1 connections with 1 requests, want 1 with 2"},
		{"two connections", []ss.State{ss.Creating, ss.Destroying}, []*trace{accepted(ss.ServerTxn), accepted(ss.ServerTxn)},
			"accepted 2 connections with 2 requests, want 1 with 2"},
		{"a timeout between", []ss.State{ss.Creating, ss.Destroying}, []*trace{accepted(ss.ServerTxn, ss.Timeout, ss.ServerTxn)},
			"an accepted stream: states: got "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &demo{order: c.traces}
			s := &demoServer{handle: listener, trace: &trace{states: c.own}}
			_, faults := s.verify(d, visits{connections: 1, requests: 2})
			got := strings.Join(faults, "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("verify: got %q, want %q", got, c.want)
			}
		})
	}
}
