package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi"
)

// Exit statuses. Scripts rely on them, so they do not change. docs/operations.md has the table, and
// TestExitStatusesAreDocumented checks it.
const (
	exitOK          = 0 // done
	exitRefused     = 1 // the peer refused (nack), the policy has problems, the demo has a failure
	exitUsage       = 2 // the command line, or the content of a file that it names, cannot be used
	exitUnreachable = 3 // no connection after all retries, or one that ended too early
	exitLocal       = 4 // a local error: a file, standard output, an address in use, an interrupt
)

const exitHelp = `
exit status:
  0  done; serve: ended in order by a signal
  1  refused: the peer answered with a failure (nack), a policy has problems, a demo stream failed
  2  usage: the command line, or the content of a file that it names, cannot be used
  3  unreachable: no connection after all retries, a connection that ended too early, a timeout
  4  local error: a file that cannot be read or written, standard output closed, an address in use, an interrupt
`

// app is one run of the command, with its inputs and outputs.
type app struct {
	in       io.Reader
	out, err io.Writer
	signals  <-chan os.Signal // nil: those of the process, while a runner exists
	running  atomic.Bool      // a runner exists
}

// output remembers the first error of standard output.
type output struct {
	w   io.Writer
	err error // not for the payload of fetch, which checks its own errors
}

func (o *output) Write(p []byte) (n int, err error) {
	if n, err = o.w.Write(p); err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// command is one subcommand.
type command struct {
	name  string
	args  string // the arguments after the name, for the first line of help
	brief string
	help  string // paragraphs and examples
	run   func(a *app, c *command, args []string) int
}

// fail prints an error and returns status. Text from a peer, a policy or the command line is escaped;
// only errors of a policy have several lines.
func (a *app) fail(status int, format string, args ...any) int {
	text := fmt.Sprintf("millrace: "+format, args...)
	for _, x := range args {
		if err, ok := x.(error); ok && errors.As(err, new(*policy.Errors)) {
			fmt.Fprintln(a.err, plainLines(text))
			return status
		}
	}
	fmt.Fprintln(a.err, roles.Plain(text))
	return status
}

// plainLines applies roles.Plain to each line of text.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = roles.Plain(l)
	}
	return strings.Join(lines, "\n")
}

// statusOf returns the exit status for an error before the start: a file that cannot be opened, or invalid content.
func statusOf(err error) int {
	if errors.As(err, new(*os.PathError)) || errors.As(err, new(*wsi.ListenError)) {
		return exitLocal
	}
	return exitUsage
}

// flags returns the flag set of c.
func (a *app) flags(c *command) *flag.FlagSet {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // parse reports errors itself, in one line instead of a page
	return f
}

// parse parses args, with at most most positional arguments before, between and after the flags. If ok is false, the
// run ends with status.
func (a *app) parse(c *command, f *flag.FlagSet, args []string, most int) (rest []string, status int, ok bool) {
	for {
		err := f.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			c.usage(a.out, f)
			return nil, exitOK, false
		case err != nil:
			return nil, a.fail(exitUsage, "%s: %v; see `millrace help %s`", c.name, err, c.name), false
		}
		if f.NArg() == 0 {
			break
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
	if len(rest) > most {
		return nil, a.fail(exitUsage, "%s: unexpected argument %q; see `millrace help %s`", c.name, rest[most], c.name), false
	}
	return rest, exitOK, true
}

// usage prints c's help with the flags of f.
func (c *command) usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "usage: millrace %s %s\n\n%s\n", c.name, c.args, strings.TrimSpace(c.help))
	first := true
	f.VisitAll(func(*flag.Flag) {
		if first {
			fmt.Fprint(w, "\nflags:\n")
			first = false
		}
	})
	f.SetOutput(w)
	f.PrintDefaults()
	fmt.Fprint(w, exitHelp)
}
