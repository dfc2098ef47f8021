package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	run("version").expect(t, exitOK, "millrace ", runtime.Version())
	run("--version").expect(t, exitOK, "millrace ")
}

func TestDescribeBuild(t *testing.T) {
	setting := func(k, v string) debug.BuildSetting { return debug.BuildSetting{Key: k, Value: v} }
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "millrace (devel), go"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "millrace v1.2.3, go"},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef"),
			setting("vcs.time", "2026-01-02T03:04:05Z"), setting("vcs.modified", "true")}},
			"millrace (devel) (0123456789ab of 2026-01-02T03:04:05Z, modified), go"},
	} {
		if got := describeBuild(c.info); !strings.HasPrefix(got, c.want) {
			t.Errorf("describeBuild: got %q, want the prefix %q", got, c.want)
		}
	}
}
