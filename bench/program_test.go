package main

import (
	"strings"
	"testing"
)

func TestPrograms(t *testing.T) {
	if _, err := findProgram("no-such-program"); err == nil {
		t.Error("found a program that is not there")
	}
	if _, _, err := new(lab).outside("no-such-program"); err == nil {
		t.Error("a port for a program that is not there")
	} else if a, ok := isAbsent(err); !ok || a.why != "not installed" {
		t.Errorf("got %v, want an absent error", err)
	}
	if got := programVersion("no-such-program", "-v"); got != "" {
		t.Errorf("got version %q of a program that is not installed", got)
	}
	for name, flag := range map[string]string{nameNginx: "-v", nameNghttpd: "--version"} {
		if _, err := findProgram(name); err != nil {
			continue
		}
		if got := programVersion(name, flag); strings.Count(got, ".") < 1 || strings.ContainsAny(got, "/\n") {
			t.Errorf("%s: got version %q", name, got)
		}
	}
}
