package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Busy measures the machine for d and returns the average number of busy cores.
func Busy(d time.Duration) (float64, error) {
	before, err := readBusy()
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := readBusy()
	if err != nil {
		return 0, err
	}
	return (after - before).Seconds() / d.Seconds(), nil
}

func readBusy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("procfs: read load: %w", err)
	}
	t, err := parseBusy(string(b))
	if err != nil {
		return 0, fmt.Errorf("procfs: read load: /proc/stat: %w", err)
	}
	return t, nil
}

// tick is the unit of /proc/stat: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// parseBusy adds up the first line of /proc/stat, all cores together: user, nice, system, irq, softirq and steal. It omits
// idle and iowait, and the guest times after them, which user includes.
func parseBusy(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("got %q, want a line of cpu and 8 numbers", line)
	}
	var ticks int64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("field %d: %w", i+1, err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}
