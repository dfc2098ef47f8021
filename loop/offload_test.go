package loop

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOffloadIsBounded(t *testing.T) {
	var o offloader
	var now, most atomic.Int32
	gate := make(chan struct{})
	var all sync.WaitGroup
	const jobs = 5 * offloadWorkers
	all.Add(jobs)
	for range jobs {
		o.Offload(func() error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-gate
			now.Add(-1)
			return nil
		}, func(error) { all.Done() }, func(f func()) { f() })
	}
	for range jobs {
		gate <- struct{}{}
	}
	all.Wait()
	if got := most.Load(); got > offloadWorkers {
		t.Errorf("%d jobs ran at once, want %d at most", got, offloadWorkers)
	}
	o.running.Wait() // idle workers end
	if o.workers != 0 {
		t.Errorf("%d idle workers, want 0", o.workers)
	}
}

func TestCloseWaitsForRunningJobs(t *testing.T) {
	var o offloader
	begun, gate := make(chan struct{}), make(chan struct{})
	ended := false
	o.Offload(func() error {
		close(begun)
		<-gate
		ended = true
		return nil
	}, func(error) {}, func(func()) {})
	<-begun
	late := func() error { t.Error("a job ran after Close"); return nil }
	closed := make(chan struct{})
	go func() {
		o.close()
		o.Offload(late, nil, nil)
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("close returned while a job was running")
	case <-time.After(10 * time.Millisecond):
	}
	close(gate)
	<-closed
	if !ended {
		t.Error("close returned before the job had ended")
	}
}
