package sim

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// One seed produces one run, bit for bit; another seed produces another run.
func TestOneSeedOneRun(t *testing.T) {
	run := func(seed uint64) (string, uint64) {
		o := randomFaults(rand.New(rand.NewPCG(12, 34)))
		o.Record = true
		o.Latency, o.Jitter, o.ReadMax, o.SpuriousReady = 3*time.Millisecond, 2*time.Millisecond, 100, 0.1
		n, err := scenario(seed, &o, func(n *Network, hosts [2]*Host) {
			n.At(100*time.Millisecond, func() { n.Partition(hosts[0], hosts[1]) })
			n.At(150*time.Millisecond, func() { n.Heal(hosts[0], hosts[1]) })
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(n.Trace(), "\n"), n.Digest()
	}
	text1, sum1 := run(1)
	text2, sum2 := run(1)
	if text1 != text2 || sum1 != sum2 {
		t.Errorf("the same seed twice: got digests %x and %x, traces equal: %v", sum1, sum2, text1 == text2)
	}
	if strings.Count(text1, "\n") < 1000 {
		t.Errorf("trace: got %d lines, want a long trace", strings.Count(text1, "\n"))
	}
	if text3, sum3 := run(2); text3 == text1 || sum3 == sum1 {
		t.Error("another seed produced the same run")
	}
}

// A single different byte changes the digest.
func TestDigestSeesContent(t *testing.T) {
	digest := func(text string) uint64 {
		p := join(t, 1, Options{})
		write(t, p.a, p.c, text)
		return p.n.Digest()
	}
	if digest("hello") == digest("hallo") {
		t.Error("two texts produced the same digest")
	}
}
