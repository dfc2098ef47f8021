package looptest

// scenario is one behaviour, tested on a new System.
type scenario struct {
	name    string
	run     func(*rig)
	threads bool // it needs a second goroutine
}
