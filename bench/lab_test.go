package main

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// newLab creates a lab on the available cores, and stops what a test leaves running. It locks the test's thread,
// because children die with the thread that started them.
func newLab(t *testing.T) *lab {
	t.Helper()
	runtime.LockOSThread()
	cores, err := procfs.Cores()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{options: options{quick: true, rounds: 1}, clientCore: cores[0], serverCore: cores[len(cores)-1], log: t.Output()}
	t.Cleanup(l.stopAll)
	return l
}

// lacking ends a test whose program is not installed: it skips the test, or fails it in CI, which installs the program.
func lacking(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func TestAbsentIsNoFailure(t *testing.T) {
	l := newLab(t)
	r := &report{}
	up, err := l.startAll([]contender{{name: "gone", peer: "absent"}}, kindH1, r)
	if err != nil || len(up) != 0 || len(r.Missing) != 1 || r.Missing[0] != (missing{"gone", "not built in"}) {
		t.Errorf("got %v, %v, missing %v", up, err, r.Missing)
	}
}

func TestFailureSaysWhy(t *testing.T) {
	l := newLab(t)
	_, err := l.start(contender{name: "bad", peer: "broken"}, kindH1)
	if _, ok := isAbsent(err); ok || err == nil || !strings.Contains(err.Error(), "the reason of it") {
		t.Errorf("got %v, want a failure with the child's standard error", err)
	}
	l.stopAll()
	if _, err := l.start(contender{name: "late", peer: "limit"}, kindH1); err == nil {
		t.Error("started after stopAll")
	}
}

func TestChildrenShareSettings(t *testing.T) {
	got := goSettings([]string{"A=1", "GOGC=off", "GOMAXPROCS=8", "GODEBUG=x=1", "GOMEMLIMIT=1MiB"})
	want := []string{"A=1", "GOMAXPROCS=1", "GOGC=100", "GOMEMLIMIT=off"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var b tail
	b.Write([]byte(strings.Repeat("x", tailSize)))
	b.Write([]byte("the end"))
	if s := b.String(); len(s) != tailSize || !strings.HasSuffix(s, "xthe end") {
		t.Errorf("got %d bytes ending in %q", len(s), s[max(len(s)-10, 0):])
	}
}
