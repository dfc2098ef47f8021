package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// TestMain lets this test binary run as its own children, like the real binary.
func TestMain(m *testing.M) {
	peers["absent"] = func(*peerEnv) error { return errNotBuilt }
	peers["broken"] = func(*peerEnv) error { return fmt.Errorf("the reason of it") }
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "peer":
			os.Exit(peerMain(os.Args[2:]))
		case "idle-clients":
			os.Exit(idleClientsMain(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

func TestParseOptions(t *testing.T) {
	for _, tc := range []struct {
		args    string
		want    options
		wantErr string
	}{
		{args: "-suite h1", want: options{suite: "h1", rounds: 9, figures: defaultFigures}},
		{args: "-suite raw -quick -json", want: options{suite: "raw", rounds: 3, quick: true, json: true}},
		{args: "-suite idle -quick -figures /x -rounds 1", want: options{suite: "idle", rounds: 1, quick: true, figures: "/x"}},
		{args: "-suite idle -tls", want: options{suite: "idle", rounds: 9, tls: true, figures: defaultFigures}},
		{args: "-suite idle -ws -tls", want: options{suite: "idle", rounds: 9, tls: true, ws: true, figures: defaultFigures}},
		{args: "-suite h2", want: options{suite: "h2", rounds: 9, figures: defaultFigures}},
		{args: "-suite tls", want: options{suite: "tls", rounds: 9, figures: defaultFigures}},
		{args: "-suite ws", want: options{suite: "ws", rounds: 9, figures: defaultFigures}},
		{args: "-spin", want: options{suite: "spin", rounds: 9, figures: defaultFigures}},
		{args: "-suite h1 -storm", want: options{suite: "storm", rounds: 9, figures: defaultFigures}},
		{args: "", wantErr: "want h1"},
		{args: "-suite h3", wantErr: `"h3": want h1`},
		{args: "-suite spin", wantErr: "want h1"},
		{args: "-suite raw -spin", wantErr: "want h1"},
		{args: "-suite tls -tls", wantErr: "-tls requires -suite idle"},
		{args: "-suite ws -ws", wantErr: "-ws requires -suite idle"},
		{args: "-spin -storm", wantErr: "exclude each other"},
		{args: "-suite h1 more", wantErr: `unexpected argument "more"`},
		{args: "-suite h1 -rounds -1", wantErr: "positive"},
		{args: "-rounds many", wantErr: "invalid value"},
	} {
		got, err := parseOptions(strings.Fields(tc.args), io.Discard)
		if tc.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("bench %s: got %v, want an error with %q", tc.args, err, tc.wantErr)
			}
		} else if err != nil || got != tc.want {
			t.Errorf("bench %s:\n got %+v, %v\nwant %+v", tc.args, got, err, tc.want)
		}
	}
}

// The idle runs must not overwrite each other's chart.
func TestTitle(t *testing.T) {
	for _, tc := range []struct {
		o    options
		want string
	}{{options{suite: "idle"}, "idle"}, {options{suite: "idle", tls: true}, "idle-tls"},
		{options{suite: "idle", ws: true}, "idle-ws"}, {options{suite: "idle", ws: true, tls: true}, "idle-ws-tls"}} {
		if got := tc.o.title(); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.o, got, tc.want)
		}
	}
}

func TestUsageStatus(t *testing.T) {
	var out, errs bytes.Buffer
	if got := benchMain([]string{"-suite", "nonsense"}, &out, &errs); got != 2 || out.Len() != 0 {
		t.Errorf("unknown suite: got status %d and %q on stdout, want 2 and nothing", got, out.String())
	}
	if got := benchMain([]string{"-h"}, &out, &errs); got != 0 || !strings.Contains(errs.String(), "-suite idle") {
		t.Errorf("-h: got status %d and %q, want 0 and examples", got, errs.String())
	}
}

// The shortest real run, from the command line to the chart.
func TestRunDrawsAChart(t *testing.T) {
	if cores, err := procfs.Cores(); err != nil || len(cores) < 2 {
		t.Skipf("needs two cores, has %v (%v)", cores, err)
	}
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if got := benchMain([]string{"-suite", "raw", "-quick", "-rounds", "1", "-figures", dir}, &out, &errs); got != 0 {
		t.Fatalf("status %d: %s", got, errs.String())
	}
	for _, want := range []string{"QUICK", nameLimit, nameGoNet, "CPU us/MB", "goal: echo"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "raw.svg"))
	if err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("chart: %v, starts with %.40q", err, svg)
	}
}
