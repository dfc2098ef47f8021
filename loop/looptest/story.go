package looptest

// story is one behaviour, told on a fresh System.
type story struct {
	name    string
	tell    func(*rig)
	threads bool // needs a second goroutine
}
