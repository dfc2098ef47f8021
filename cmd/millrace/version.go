package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

var versionCommand = command{
	name: "version", brief: "print the version of this binary",
	help: "Prints the version of the module, the revision it was built from, and the Go that built it.\n\nexamples:\n  millrace version",
	run: func(a *app, c *command, args []string) int {
		if _, status, ok := a.parse(c, a.flags(c), args, 0); !ok {
			return status
		}
		info, _ := debug.ReadBuildInfo()
		fmt.Fprintln(a.out, describeBuild(info))
		return exitOK
	},
}

// describeBuild returns one line with the build information of the binary; info may be nil.
func describeBuild(info *debug.BuildInfo) string {
	version, revision, when, dirty := "(devel)", "", "", ""
	if info != nil {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value[:min(12, len(s.Value))]
			case "vcs.time":
				when = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					dirty = ", modified"
				}
			}
		}
	}
	line := "millrace " + version
	if revision != "" {
		line += fmt.Sprintf(" (%s of %s%s)", revision, when, dirty)
	}
	return fmt.Sprintf("%s, %s %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
