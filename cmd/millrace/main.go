package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// commands are in the order of the help. init sets them, since help refers to them.
var commands []*command

func init() {
	commands = []*command{&demoCommand, &serveCommand, &fetchCommand, &policyCommand, &certCommand, &versionCommand, &helpCommand}
}

func main() {
	// When the reader of standard output is gone, a write fails, and the exit status reports it.
	signal.Ignore(syscall.SIGPIPE)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range c {
			// A runner handles the signal; without a runner the command may be blocked in a file.
			if !a.running.Load() {
				os.Exit(a.fail(exitLocal, "interrupted"))
			}
		}
	}()
	os.Exit(a.run(os.Args[1:]))
}

// run executes the arguments and returns the exit status. A failed write to standard output is an error.
func (a *app) run(args []string) int {
	w := a.out
	out := &output{w: w}
	a.out = out
	defer func() { a.out = w }()
	status := a.dispatch(args)
	if status == exitOK && out.err != nil {
		return a.fail(exitLocal, "write to standard output: %v", out.err)
	}
	return status
}

func (a *app) dispatch(args []string) int {
	if len(args) == 0 {
		a.overview(a.err)
		return exitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args[0] = "help"
	case "-version", "--version":
		args[0] = "version"
	}
	c := find(args[0])
	if c == nil {
		return a.fail(exitUsage, "no subcommand %q; `millrace help` lists them", args[0])
	}
	return c.run(a, c, args[1:])
}

func find(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

var helpCommand = command{
	name: "help", args: "[SUBCOMMAND]", brief: "list the subcommands, or explain one",
	help: "Lists the subcommands, or explains one.\n\nexamples:\n  millrace help\n  millrace help fetch",
	run: func(a *app, c *command, args []string) int {
		rest, status, ok := a.parse(c, a.flags(c), args, 2)
		switch {
		case !ok:
			return status
		case len(rest) == 0:
			a.overview(a.out)
			return exitOK
		}
		about := find(rest[0])
		if about == nil {
			return a.fail(exitUsage, "help: no subcommand %q; `millrace help` lists them", rest[0])
		}
		return about.run(a, about, append(rest[1:], "-h"))
	},
}

func (a *app) overview(w io.Writer) {
	fmt.Fprint(w, "Millrace: Secure Streams for Go.\n\nusage: millrace SUBCOMMAND [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.brief)
	}
	fmt.Fprint(w, "\n`millrace help SUBCOMMAND` shows flags and examples.\n", exitHelp)
}
