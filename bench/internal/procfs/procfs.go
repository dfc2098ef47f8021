package procfs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Memory is the resident memory in /proc/PID/status, in bytes.
type Memory struct {
	RSS  int64 // VmRSS, now
	Peak int64 // VmHWM, the maximum
}

// ReadMemory reads the resident memory of a process.
func ReadMemory(pid int) (Memory, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return Memory{}, fmt.Errorf("procfs: read memory: %w", err)
	}
	m, err := parseMemory(b)
	if err != nil {
		return Memory{}, fmt.Errorf("procfs: read memory: %s: %w", name, err)
	}
	return m, nil
}

// parseMemory reads VmRSS and VmHWM from a status file. A zombie has neither line: that is an
// error, since zero bytes would be wrong.
func parseMemory(status []byte) (Memory, error) {
	m := Memory{RSS: -1, Peak: -1}
	sc := bufio.NewScanner(bytes.NewReader(status))
	for sc.Scan() {
		key, rest, _ := strings.Cut(sc.Text(), ":")
		var field *int64
		switch key {
		case "VmRSS":
			field = &m.RSS
		case "VmHWM":
			field = &m.Peak
		default:
			continue
		}
		number, isKB := strings.CutSuffix(strings.TrimSpace(rest), " kB")
		kb, err := strconv.ParseInt(number, 10, 64)
		if !isKB || err != nil || kb < 0 {
			return Memory{}, fmt.Errorf("%s: got %q, want a number of kB", key, rest)
		}
		*field = kb << 10
	}
	if m.RSS < 0 || m.Peak < 0 {
		return Memory{}, fmt.Errorf("no VmRSS and VmHWM")
	}
	return m, nil
}

// Descriptors counts the open descriptors of a process.
func Descriptors(pid int) (int, error) {
	d, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("procfs: count descriptors: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0, fmt.Errorf("procfs: count descriptors: pid %d: %w", pid, err)
	}
	return len(names), nil
}

// The kernel's clock id for the processor time of all threads of a process, including ended ones:
// the complement of the pid above three bits that name the clock (CPUCLOCK_SCHED, 2).
const cpuclockSched = 2

// CPU returns the processor time, user and system, that all threads of a process have used since its
// start, in nanosecond resolution.
func CPU(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, fmt.Errorf("procfs: read processor time: pid %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
