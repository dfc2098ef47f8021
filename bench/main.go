package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// The main goroutine stays on the main thread: the generator runs on it, and the children that it
// forks die with it (their parent-death signal is bound to the thread that forked them).
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "peer":
			os.Exit(peerMain(os.Args[2:]))
		case "idle-clients":
			os.Exit(idleClientsMain(os.Args[2:]))
		}
	}
	os.Exit(benchMain(os.Args[1:], os.Stdout, os.Stderr))
}

// options are the command-line options.
type options struct {
	suite   string
	rounds  int
	quick   bool
	json    bool
	tls     bool // the idle suite over TLS
	ws      bool // the idle suite with WebSockets
	figures string
	// before is another build of this program, whose millrace is measured next to ours; "" for none.
	before string
}

// defaultFigures is the directory of charts, relative to bench/.
var defaultFigures = filepath.Join("..", "docs", "figures")

// The number of rounds is odd, so that the median is one of them.
const (
	fullRounds  = 9
	quickRounds = 3
)

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	var spin, storm bool
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&o.suite, "suite", "", "what to measure: h1, h2, raw, idle, tls or ws")
	fs.BoolVar(&spin, "spin", false, "measure ping-pong with millrace spinning before it sleeps")
	fs.BoolVar(&storm, "storm", false, "measure an established client while 10,000 others connect")
	fs.BoolVar(&o.tls, "tls", false, "with -suite idle: over TLS 1.3")
	fs.BoolVar(&o.ws, "ws", false, "with -suite idle: WebSockets")
	fs.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf("rounds per measurement (default %d, with -quick %d)", fullRounds, quickRounds))
	fs.BoolVar(&o.quick, "quick", false, "short rounds and waits, for development; do not publish the figures")
	fs.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	fs.StringVar(&o.figures, "figures", "", "directory for the chart (default "+defaultFigures+", with -quick none)")
	fs.StringVar(&o.before, "before", "", "another build of this `program`: compare its millrace with this one, without the other servers")
	fs.Usage = func() {
		fmt.Fprintf(out, "bench compares Millrace with other servers.\n\n"+
			"  go -C bench run . -suite h1\n  go -C bench run . -suite idle -tls -json\n  go -C bench run . -storm\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if spin && storm {
		return o, errors.New("bench: -spin and -storm exclude each other")
	}
	switch {
	case spin && (o.suite == "" || o.suite == "h1"):
		o.suite = "spin"
	case storm && (o.suite == "" || o.suite == "h1"):
		o.suite = "storm"
	}
	if suites[o.suite] == nil || spin != (o.suite == "spin") || storm != (o.suite == "storm") {
		return o, fmt.Errorf("bench: -suite %q: want h1 (also with -spin or -storm), h2, raw, idle, tls or ws", o.suite)
	}
	if o.tls && o.suite != "idle" {
		return o, fmt.Errorf("bench: -tls requires -suite idle, got %q", o.suite)
	}
	if o.ws && o.suite != "idle" {
		return o, fmt.Errorf("bench: -ws requires -suite idle, got %q", o.suite)
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("bench: unexpected argument %q", fs.Arg(0))
	}
	if o.rounds < 0 {
		return o, fmt.Errorf("bench: -rounds %d: want a positive number", o.rounds)
	}
	if o.rounds == 0 {
		o.rounds = fullRounds
		if o.quick {
			o.rounds = quickRounds
		}
	}
	if o.figures == "" && !o.quick && o.before == "" {
		o.figures = defaultFigures
	}
	return o, nil
}

// title is the name of the run in its heading and its chart's file name.
func (o options) title() string {
	s := o.suite
	if o.ws {
		s += "-ws"
	}
	if o.tls {
		s += "-tls"
	}
	return s
}

// suites are the runs by name. Each fills a report from servers that it starts through the lab; the lab stops them.
var suites = map[string]func(*lab, *report) error{
	"h1":    h1Suite,
	"h2":    h2Suite,
	"raw":   rawSuite,
	"idle":  idleSuite,
	"spin":  spinSuite,
	"storm": stormSuite,
	"tls":   tlsSuite,
	"ws":    wsSuite,
}

func benchMain(args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if err := measureAndPrint(o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// measureAndPrint runs one suite. Before it returns, also after an interruption, it stops every process that it
// started.
func measureAndPrint(o options, stdout, stderr io.Writer) error {
	cores, err := procfs.Cores()
	if err != nil {
		return err
	}
	if len(cores) < 2 {
		return fmt.Errorf("bench: needs two cores, one for the generator and one for the servers: available: %v", cores)
	}
	l := &lab{options: o, clientCore: cores[0], serverCore: cores[1], log: stderr}
	defer l.stopAll()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		l.stopAll()
		os.Exit(130)
	}()
	if err := procfs.PinProcess(l.clientCore); err != nil {
		return err
	}
	r := newReport(o, cores)
	begin := time.Now()
	if err := suites[o.suite](l, r); err != nil {
		return err
	}
	r.Seconds = time.Since(begin).Seconds()
	if o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(r.results())
	} else {
		err = r.print(stdout)
	}
	if err != nil || o.figures == "" {
		return err
	}
	name := filepath.Join(o.figures, o.title()+".svg")
	if err := os.MkdirAll(o.figures, 0o755); err != nil {
		return fmt.Errorf("bench: draw chart: %w", err)
	}
	if err := os.WriteFile(name, r.chart().SVG(), 0o644); err != nil {
		return fmt.Errorf("bench: draw chart: %w", err)
	}
	fmt.Fprintf(stderr, "chart: %s\n", name)
	return nil
}
