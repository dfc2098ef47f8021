package sim

import "fmt"

// job is the argument of Offload with its outcome.
type job struct {
	host *Host
	work func() error
	done func(error)
	post func(func())
	fail bool
}

// Offload runs job later in virtual time, during a Wait, on the calling goroutine. With OffloadFail it may fail
// instead of running. After Shutdown neither job nor done is called.
func (h *Host) Offload(work func() error, done func(error), post func(func())) {
	n := h.n
	j := &job{host: h, work: work, done: done, post: post, fail: n.roll(n.opts.OffloadFail)}
	n.eventQueue.push(event{at: n.now + n.upTo(n.opts.OffloadMax), kind: evJob, job: j})
	h.note(opOffload, -1, 0, 0, nil)
}

func (j *job) run() {
	err := error(nil)
	if j.fail {
		err = fmt.Errorf("sim: offload: on host %s: %w", j.host.name, ErrInjected)
	} else {
		err = j.work()
	}
	j.post(func() { j.done(err) })
}
