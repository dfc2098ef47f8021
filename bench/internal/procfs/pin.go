package procfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Cores lists the cores that the calling thread may use, in ascending order.
func Cores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("procfs: list cores: %w", err)
	}
	var cores []int
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores, nil
}

// PinThread binds the calling thread to one core. Threads and processes that it creates afterwards
// inherit this, so all threads of a child forked by a pinned thread run there.
func PinThread(core int) error { return pin(0, core) }

// PinProcess binds every current thread of this process to one core.
func PinProcess(core int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("procfs: pin process: %w", err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return fmt.Errorf("procfs: pin process: thread id: %w", err)
		}
		// A thread may end between the listing and the call.
		if err := pin(tid, core); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

func pin(tid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(tid, &set); err != nil {
		return fmt.Errorf("procfs: pin thread %d to core %d: %w", tid, core, err)
	}
	return nil
}
