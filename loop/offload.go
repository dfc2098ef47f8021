package loop

import "sync"

// offloadWorkers limits the jobs that run at the same time. Jobs wait for disks, not for processors.
const offloadWorkers = 8

// offloader runs jobs on goroutines that start when there is a job and end when there is none: starting one takes
// less than a microsecond, and an offloaded job takes milliseconds. These are the only goroutines of the runtime.
type offloader struct {
	mu      sync.Mutex
	jobs    []offloaded
	workers int
	closed  bool
	running sync.WaitGroup
}

type offloaded struct {
	job  func() error
	done func(error)
	post func(func())
}

// Offload implements Offloader.
func (o *offloader) Offload(job func() error, done func(error), post func(func())) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.jobs = append(o.jobs, offloaded{job, done, post})
	if o.workers < offloadWorkers {
		o.workers++
		o.running.Add(1)
		go o.work()
	}
}

func (o *offloader) work() {
	defer o.running.Done()
	for {
		j, ok := o.next()
		if !ok {
			return
		}
		err := j.job()
		j.post(func() { j.done(err) })
	}
}

// next removes and returns the oldest job. If there is none, it counts the calling worker as ended.
func (o *offloader) next() (offloaded, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.jobs) == 0 {
		o.workers--
		return offloaded{}, false
	}
	j := o.jobs[0]
	o.jobs[0] = offloaded{}
	if o.jobs = o.jobs[1:]; len(o.jobs) == 0 {
		o.jobs = nil
	}
	return j, true
}

// close drops the jobs that have not started and waits for those that have.
func (o *offloader) close() {
	o.mu.Lock()
	o.closed, o.jobs = true, nil
	o.mu.Unlock()
	o.running.Wait()
}
