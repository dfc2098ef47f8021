package main

import "fmt"

// inTurn measures every seat in every round, and returns the sum of the limit's system calls. what names the
// measurement in the log.
func (l *lab) inTurn(what string, seats []seat, measure func(round int, s seat) error) (callCount, error) {
	calls := callCount{}
	for round := range l.rounds {
		l.say("%s: round %d of %d", what, round+1, l.rounds)
		for _, s := range rotate(seats, round) {
			if err := s.counted(calls, func() error { return measure(round, s) }); err != nil {
				return nil, err
			}
		}
	}
	return calls, nil
}

// callCount sums the limit's counts of system calls.
type callCount map[string]uint64

// limitCalls reads the limit's counts; other servers have none.
func (s seat) limitCalls() (map[string]uint64, error) {
	if s.name != nameLimit {
		return nil, nil
	}
	st, err := s.proc.stats()
	return st.Calls, err
}

// counted adds the limit's system calls during measure to c.
func (s seat) counted(c callCount, measure func() error) error {
	before, err := s.limitCalls()
	if err != nil {
		return err
	}
	if err := measure(); err != nil {
		return err
	}
	after, err := s.limitCalls()
	for k, v := range after {
		c[k] += v - before[k]
	}
	return err
}

// String gives calls per request and waits per turn.
func (c callCount) String() string {
	per := func(n uint64, of string) float64 { return float64(n) / float64(c[of]) }
	return fmt.Sprintf("per request %.4f reads, %.4f writes, %.4f waits; per turn %.3f requests, %.4f looks, %.4f sleeps",
		per(c["reads"], "requests"), per(c["writes"], "requests"), per(c["looks"]+c["sleeps"], "requests"),
		per(c["requests"], "turns"), per(c["looks"], "turns"), per(c["sleeps"], "turns"))
}
