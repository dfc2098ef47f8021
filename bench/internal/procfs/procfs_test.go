package procfs

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseMemory(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Memory
		wantErr  bool
	}{
		{"as the kernel writes it", "Name:\tnginx\nVmPeak:\t  9000 kB\nVmHWM:\t    3060 kB\nVmRSS:\t    1628 kB\nRssAnon:\t 1 kB\n",
			Memory{RSS: 1628 << 10, Peak: 3060 << 10}, false},
		{"a zombie has no memory lines", "Name:\tx\nState:\tZ (zombie)\n", Memory{}, true},
		{"one line missing", "VmRSS:\t1 kB\n", Memory{}, true},
		{"not a number", "VmHWM:\tmuch kB\nVmRSS:\t1 kB\n", Memory{}, true},
		{"another unit", "VmHWM:\t1 MB\nVmRSS:\t1 kB\n", Memory{}, true},
		{"negative", "VmHWM:\t-1 kB\nVmRSS:\t1 kB\n", Memory{}, true},
		{"empty", "", Memory{}, true},
	} {
		got, err := parseMemory([]byte(tc.in))
		if (err != nil) != tc.wantErr || got != tc.want {
			t.Errorf("%s: parseMemory(%q)\n got %+v, %v\nwant %+v, error %v", tc.name, tc.in, got, err, tc.want, tc.wantErr)
		}
	}
}

func TestReadMemoryOfOurselves(t *testing.T) {
	m, err := ReadMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.RSS < 1<<20 || m.Peak < m.RSS {
		t.Errorf("got %+v, want an RSS of at least 1 MiB and a peak not below it", m)
	}
}

// The clock must agree with getrusage, which counts the same time in another way.
func TestCPUAgreesWithGetrusage(t *testing.T) {
	for begin := time.Now(); time.Since(begin) < 30*time.Millisecond; {
	}
	got, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	want := time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	if d := (got - want).Abs(); d > 20*time.Millisecond {
		t.Errorf("got %v, getrusage says %v", got, want)
	}
}

func TestDescriptorsOfOurselves(t *testing.T) {
	before, err := Descriptors(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after, err := Descriptors(os.Getpid()); err != nil || after != before+1 {
		t.Errorf("after one more was opened: got %d, %v; want %d", after, err, before+1)
	}
}

func TestNoSuchProcess(t *testing.T) {
	const pid = 1 << 22 // one above the largest pid
	if d, err := CPU(pid); err == nil {
		t.Errorf("CPU: got %v, want an error", d)
	}
	if n, err := Descriptors(pid); err == nil {
		t.Errorf("Descriptors: got %d, want an error", n)
	}
	if m, err := ReadMemory(pid); err == nil {
		t.Errorf("ReadMemory: got %+v, want an error", m)
	}
}
