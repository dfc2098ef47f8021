package ss_test

import (
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace/sim"
)

// badLink makes a random network that is slow and fragments, and loses nothing.
func badLink(r *rand.Rand) (o sim.Options) {
	some := func(p float64) bool { return r.Float64() < p }
	o.Latency = time.Duration(r.IntN(5000)) * time.Microsecond
	if some(0.5) {
		o.Jitter = time.Duration(r.IntN(3000)) * time.Microsecond
	}
	if some(0.4) {
		o.ShortRead, o.ShortWrite = r.Float64(), r.Float64()
	}
	if some(0.3) {
		o.ReadMax = 1 + r.IntN(2000)
	}
	if some(0.3) {
		o.WriteMax = 1 + r.IntN(2000)
	}
	if some(0.4) {
		o.SndBuf, o.RcvBuf = 256+r.IntN(8000), 256+r.IntN(8000)
	}
	if some(0.4) {
		o.LateReady, o.LateReadyMax = r.Float64(), time.Duration(r.IntN(3000))*time.Microsecond
	}
	if some(0.3) {
		o.SpuriousReady, o.SpuriousWake = r.Float64()/2, r.Float64()/2
	}
	o.ShuffleReady = some(0.5)
	o.StrictEdges = some(0.5)
	return o
}

// worse adds faults that break connections.
func worse(r *rand.Rand, o *sim.Options) {
	some := func(p float64) bool { return r.Float64() < p }
	if some(0.4) {
		o.Refuse = r.Float64() / 2
	}
	if some(0.2) {
		o.BlackHole = r.Float64() / 3
	}
	if some(0.4) {
		o.Reset, o.FaultWithin = r.Float64()/2, time.Duration(1+r.IntN(300))*time.Millisecond
	}
	if some(0.3) {
		o.Die, o.FaultWithin = r.Float64()/2, time.Duration(1+r.IntN(300))*time.Millisecond
	}
	if some(0.2) {
		o.MaxDescriptors = 3 + r.IntN(6)
	}
	if some(0.2) {
		o.Pause, o.PauseMax = 0.01, time.Duration(r.IntN(20))*time.Second
	}
	if some(0.2) {
		o.WallJump = 0.1
	}
	if some(0.2) {
		o.CallCost = time.Duration(r.IntN(100)) * time.Microsecond
	}
}
